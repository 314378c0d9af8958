package testkit

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of a package, then the ends, and fails if a goroutine is left. Call it
// from TestMain. It gives the tests' secret to every program that they start; a test that wants
// another one, or none, sets MARCADOR_JWT_SECRET itself.
func Main(m *testing.M, ends ...func() error) {
	if err := os.Setenv("MARCADOR_JWT_SECRET", Secret); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(suite{m, ends}, goleak.Cleanup(func(code int) {
		removeBinary()
		os.Exit(code)
	}))
}

// suite is all tests of a package, and what has to end with them.
type suite struct {
	m    *testing.M
	ends []func() error
}

// Run implements goleak.TestingM.
func (s suite) Run() int {
	code := s.m.Run()
	for _, end := range s.ends {
		if err := end(); err != nil {
			fmt.Fprintln(os.Stderr, "after the tests:", err)
			code = max(code, 1)
		}
	}
	return code
}
