package process_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/witness"
)

// A power cut leaves the synced part of SQLite's log, and anything behind it. Acknowledged writes
// survive it, and the rest is lost cleanly.
func TestProcess_tornLog(t *testing.T) {
	folder := t.TempDir()
	db := filepath.Join(folder, "m.db")
	w := witness.New(t, 4)
	p := testkit.Spawn(t, db)
	p.Enrol(witness.Users)
	w.Burst(p.URL, 50)
	synced := testkit.Size(t, db+"-wal")
	later := witness.New(t, 4, w)
	later.Burst(p.URL, 100)
	log, file := testkit.Read(t, db+"-wal"), testkit.Read(t, db)
	p.Kill()
	pageSize := int64(binary.BigEndian.Uint32(log[8:]))
	if frame := 24 + pageSize; int64(len(log)) < synced+10*frame || synced < 10*frame {
		t.Fatalf("the log has %d bytes, of which %d were synced before: too few, or it began anew", len(log), synced)
	}
	w.AddUnacknowledged(later)
	for round := range 12 {
		cut := synced + rand.Int64N(int64(len(log))-synced+1)
		path := filepath.Join(folder, fmt.Sprintf("torn%d.db", round))
		testkit.Write(t, path, file)
		testkit.Write(t, path+"-wal", torn(log, cut, round%3))
		p := testkit.Spawn(t, path)
		w.Check(path)
		if status, answer := p.Try(w.Token, http.MethodPost, "/v1/users/u1/xp", `{"xp":1}`); status != http.StatusOK {
			t.Errorf("cut at %d: %d %s", cut, status, answer)
		}
		p.Kill()
	}
}

// torn returns the log as a power cut may leave it from the cut on, in one of three ways.
func torn(log []byte, cut int64, way int) []byte {
	log = slices.Clone(log)
	switch way {
	case 0:
		return log[:cut]
	case 1: // sectors that were never written
		clear(log[cut:])
	default:
		for i := range log[cut:] {
			log[cut+int64(i)] = byte(rand.Int())
		}
	}
	return log
}
