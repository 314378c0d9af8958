package docs_test

import (
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
)

func TestMain(m *testing.M) { testkit.Main(m, browser.Close) }

// root is the folder of the repository.
var root = testkit.Path("")
