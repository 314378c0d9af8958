// Marcador is a leaderboard that pushes itself. One process keeps users' points in SQLite, ranks
// them in memory, and pushes the boards to every browser that follows them.
package main

import (
	_ "embed"

	"marcador/command"
)

// schema makes the tables of a new database.
//
//go:embed schema.sql
var schema string

// version is set by released builds, with -ldflags "-X main.version=…".
var version = "0.1.0-dev"

func main() {
	command.Main(command.Program{Schema: schema, Version: version})
}
