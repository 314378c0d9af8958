package main

import (
	"context"
	"io"

	cli "marcador/command"
)

// run runs the program in this process, as main would.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	return cli.Program{Schema: schema, Version: version}.Run(ctx, args, stdout, stderr)
}
