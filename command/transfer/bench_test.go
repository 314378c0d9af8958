package transfer_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"marcador/command/transfer"
	"marcador/store"
)

// Benchmark measures rows a second of each format, imported and exported.
func Benchmark(b *testing.B) {
	const n = 10_000
	source, path := open(b)
	load(b, source, rows(n))
	for _, format := range []string{transfer.JSONL, transfer.CSV} {
		text := export(b, path, format)
		b.Run("import/"+format, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				s, _ := open(b)
				b.StartTimer()
				if _, err := transfer.Import(b.Context(), s, strings.NewReader(text), transfer.Options{Format: format}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
		b.Run("export/"+format, func(b *testing.B) {
			s, err := store.OpenSnapshot(b.Context(), path)
			if err != nil {
				b.Fatal(err)
			}
			var out bytes.Buffer
			for b.Loop() {
				out.Reset()
				if _, err := transfer.Export(b.Context(), s, io.Writer(&out), format, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
