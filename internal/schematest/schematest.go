// Package schematest gives tests the text of schema.sql, which stands at the root of the module.
package schematest

import (
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

var text = sync.OnceValues(func() (string, error) {
	_, here, _, _ := runtime.Caller(0)
	b, err := os.ReadFile(filepath.Join(filepath.Dir(here), "..", "..", "schema.sql"))
	return string(b), err
})

// Text returns the text of schema.sql.
func Text(tb testing.TB) string {
	tb.Helper()
	schema, err := text()
	if err != nil {
		tb.Fatal(err)
	}
	return schema
}
