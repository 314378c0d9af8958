// Package page_test opens the service's page, the element and the browser's client in Chromium and
// looks at what readers see.
package page_test

import (
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
)

func TestMain(m *testing.M) { testkit.Main(m, browser.Close) }
