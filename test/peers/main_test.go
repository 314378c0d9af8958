// Package peers_test runs the program with other projects' clients, browsers and proxies, as they
// come: curl, r3labs' client, EventSource, what npm has for Node, Firefox, nginx, HAProxy and
// Lighthouse. make peers runs it.
package peers_test

import (
	"testing"

	"marcador/test/testkit"
	"marcador/test/testkit/browser"
)

func TestMain(m *testing.M) { testkit.Main(m, browser.Close) }
