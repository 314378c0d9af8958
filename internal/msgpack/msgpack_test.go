package msgpack_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tinylib/msgp/msgp"
	"pgregory.net/rapid"

	"marcador/internal/msgpack"
)

// The wanted bytes are taken from the MessagePack specification.
func TestFromJSON_formats(t *testing.T) {
	long := strings.Repeat("x", 300)
	for text, want := range map[string]string{
		`null`:                                "\xc0",
		`false`:                               "\xc2",
		` true `:                              "\xc3",
		`0`:                                   "\x00",
		`-0`:                                  "\x00",
		`127`:                                 "\x7f",
		`128`:                                 "\xcc\x80",
		`255`:                                 "\xcc\xff",
		`256`:                                 "\xcd\x01\x00",
		`65536`:                               "\xce\x00\x01\x00\x00",
		`4294967296`:                          "\xcf\x00\x00\x00\x01\x00\x00\x00\x00",
		`18446744073709551615`:                "\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
		`18446744073709551616`:                "\xcb\x43\xf0\x00\x00\x00\x00\x00\x00",
		`-1`:                                  "\xff",
		`-32`:                                 "\xe0",
		`-33`:                                 "\xd0\xdf",
		`-129`:                                "\xd1\xff\x7f",
		`-9223372036854775808`:                "\xd3\x80\x00\x00\x00\x00\x00\x00\x00",
		`-9223372036854775809`:                "\xcb\xc3\xe0\x00\x00\x00\x00\x00\x00",
		`84.7`:                                "\xcb\x40\x55\x2c\xcc\xcc\xcc\xcc\xcd",
		`1.0`:                                 "\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00",
		`1e0`:                                 "\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00",
		`""`:                                  "\xa0",
		`"K'uk'ulkan"`:                        "\xaaK'uk'ulkan",
		`"\u00e9\n\ud83d\ude00<"`:             "\xa8é\n😀<",
		`"` + long + `"`:                      "\xda\x01\x2c" + long,
		`[]`:                                  "\x90",
		`{}`:                                  "\x80",
		`{"b":1,"a":[2,{"c":""}]}`:            "\x82\xa1b\x01\xa1a\x92\x02\x81\xa1c\xa0",
		`[` + strings.Repeat("0,", 15) + `0]`: "\xdc\x00\x10" + strings.Repeat("\x00", 16),
		`[` + strings.Repeat("[],", 65535) + `[]]`:      "\xdd\x00\x01\x00\x00" + strings.Repeat("\x90", 65536),
		`[[` + strings.Repeat("7,", 16) + `7],"after"]`: "\x92\xdc\x00\x11" + strings.Repeat("\x07", 17) + "\xa5after",
	} {
		got, err := msgpack.FromJSON([]byte("before"), []byte(text))
		if err != nil || string(got) != "before"+want {
			t.Errorf("FromJSON(%.60s) = %.60q, %v, want %.60q", text, got, err, "before"+want)
		}
	}
}

func TestFromJSON_errors(t *testing.T) {
	for _, text := range []string{
		``, ` `, `{`, `[1`, `[1,]`, `{"a"}`, `{"a":}`, `nul`, `1 2`, `{} x`, `]`, `01`, `1e999`, "\"\xff\"", `"\ud800"`,
		`{"a":1,"a":2}`, `{1:2}`, strings.Repeat("[", 20_000), strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
	} {
		got, err := msgpack.FromJSON([]byte("before"), []byte(text))
		if err == nil || string(got) != "before" {
			t.Errorf("FromJSON(%.60q) = %.60q, %v, want an error and the destination as it was", text, got, err)
		}
	}
}

// Several goroutines may convert the same text at once.
func TestFromJSON_concurrent(t *testing.T) {
	text := page(100)
	before := bytes.Clone(text)
	want, err := msgpack.FromJSON(nil, text)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if got, err := msgpack.FromJSON(nil, text); err != nil || !bytes.Equal(got, want) {
					t.Errorf("got %d bytes, %v, want %d", len(got), err, len(want))
				}
			}
		})
	}
	wg.Wait()
	if !bytes.Equal(text, before) {
		t.Error("the text was changed")
	}
}

// MessagePack and JSON of the same text decode to the same value.
func TestFromJSON_model(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := values(3).Draw(t, "text")
		got, err := msgpack.FromJSON(nil, []byte(text))
		if err != nil {
			t.Fatalf("FromJSON(%s): %v", text, err)
		}
		if why := differs(got, []byte(text)); why != "" {
			t.Fatalf("FromJSON(%s) = %x: %s", text, got, why)
		}
	})
}

// values generates JSON texts with containers up to that depth.
func values(depth int) *rapid.Generator[string] {
	quote := func(s string) string {
		b, err := json.Marshal(s)
		if err != nil {
			panic(err) // strings always have a JSON form
		}
		return string(b)
	}
	texts := rapid.Map(rapid.String(), quote)
	kinds := []*rapid.Generator[string]{
		rapid.SampledFrom([]string{"null", "true", "false", "1E2", "-0.0", "18446744073709551616", `"\u00E9\/"`}),
		rapid.Map(rapid.Int64(), func(n int64) string { return strconv.FormatInt(n, 10) }),
		rapid.Map(rapid.Uint64(), func(n uint64) string { return strconv.FormatUint(n, 10) }),
		rapid.Map(rapid.Float64(), func(f float64) string {
			if math.IsInf(f, 0) || math.IsNaN(f) {
				return "0"
			}
			return strconv.FormatFloat(f, 'g', -1, 64)
		}),
		texts,
	}
	if depth > 0 {
		inner := values(depth - 1)
		kinds = append(kinds,
			rapid.Map(rapid.SliceOfN(inner, 0, 20), func(list []string) string { return "[" + strings.Join(list, " ,\n") + "]" }),
			rapid.Map(rapid.MapOfN(texts, inner, 0, 20), func(m map[string]string) string {
				var members []string
				for name, value := range m {
					members = append(members, name+" : "+value)
				}
				return "{" + strings.Join(members, ",") + "}"
			}))
	}
	return rapid.OneOf(kinds...)
}

// differs returns how the MessagePack differs from the JSON text, or "".
func differs(packed, text []byte) string {
	got, rest, err := msgp.ReadIntfBytes(packed)
	if err != nil || len(rest) > 0 {
		return fmt.Sprintf("not one value of MessagePack: %v, %d bytes after it", err, len(rest))
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var want any
	if err := d.Decode(&want); err != nil {
		return fmt.Sprintf("not JSON: %v", err)
	}
	if got, want = plain(got), plain(want); !reflect.DeepEqual(got, want) {
		return fmt.Sprintf("got %v, want %v", got, want)
	}
	return ""
}

// plain replaces all numbers in v, so that equal numbers become equal Go values: integers that fit
// into 64 bits become strings, and all others float64.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for name, value := range v {
			m[name] = plain(value)
		}
		return m
	case []any:
		list := []any{}
		for _, value := range v {
			list = append(list, plain(value))
		}
		return list
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return strconv.FormatInt(n, 10)
		}
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return strconv.FormatUint(n, 10)
		}
		f, err := v.Float64()
		if err != nil {
			return err
		}
		return f
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	}
	return v
}

func FuzzFromJSON(f *testing.F) {
	for _, text := range []string{`{"rank":1,"me":null,"percentile":84.7,"entries":[{"a":true}]}`, `[[],{},"\u00e9",-1e5]`, `{"a":1,"a":2}`, `[`, "\"\xff\""} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := msgpack.FromJSON(nil, text)
		if err != nil {
			return
		}
		if !json.Valid(text) {
			t.Fatalf("FromJSON(%q) takes a text that is not JSON", text)
		}
		if why := differs(got, text); why != "" {
			t.Fatalf("FromJSON(%q) = %x: %s", text, got, why)
		}
	})
}

// page returns a page of n entries, as the API writes it.
func page(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"type":"global","board":"global","period":"all-time","entries":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"rank":%d,"userId":"user-%d","username":"Juan Pérez %d","avatar":"https://example.org/%d.png","rankBadge":"Nacom","score":%d,"xp":%d,"mlCoins":5000,"change":2,"changeType":"up","isCurrentUser":false}`,
			i+1, i, i, i, 15000-i, 15000-i)
	}
	b.WriteString(`],"totalEntries":5321,"me":null,"lastUpdated":"2025-11-28T18:30:00.000Z","version":90412,"resetsAt":null}`)
	return []byte(b.String())
}

// It converts a page of 100 entries.
func BenchmarkFromJSON(b *testing.B) {
	text := page(100)
	out := make([]byte, 0, len(text))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := msgpack.FromJSON(out, text); err != nil {
			b.Fatal(err)
		}
	}
	packed, err := msgpack.FromJSON(out, text)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(packed))/float64(len(text)), "size/JSON")
}
