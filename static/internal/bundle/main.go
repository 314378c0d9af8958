// Command bundle writes the files that the page loads into the folder bundle/.
// `go generate ./static` runs it. A test of this package fails if bundle/ is not what it would
// write.
package main

import (
	"fmt"
	"io/fs"
	"log"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// entries are the files that index.html and /docs name.
var entries = []string{"page/page.js", "page/page.css", "docs.css"}

func main() {
	log.SetFlags(0)
	if err := write("bundle"); err != nil {
		log.Fatalf("bundle: %v", err)
	}
}

// write replaces the folder by one that holds what build makes of the current folder.
func write(folder string) error {
	made, err := build(os.DirFS("."))
	if err != nil {
		return err
	}
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	for name, body := range made {
		file := filepath.Join(folder, filepath.FromSlash(name))
		//nolint:gosec // sources are for everybody to read
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		//nolint:gosec // as above
		if err := os.WriteFile(file, body, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// build returns the bundled files by name. Each entry becomes one file with everything that it
// imports. A part that is imported later, when it is needed, becomes a file of its own, and so does
// the code that several files share. The same sources always give the same bytes.
//
// A browser gets a bundle in two round trips, where modules that import modules take five, and a
// third fewer bytes, since nothing in it is for people to read.
func build(sources fs.FS) (map[string][]byte, error) {
	const root = "/static"
	options := api.BuildOptions{
		Bundle: true, Splitting: true, Format: api.FormatESModule,
		MinifyWhitespace: true, MinifySyntax: true, MinifyIdentifiers: true,
		LegalComments: api.LegalCommentsInline,
		Outdir:        root, ChunkNames: "page/[name]",
		External: []string{"*.svg"},
		Plugins:  []api.Plugin{{Name: "sources", Setup: func(b api.PluginBuild) { read(b, sources) }}},
	}
	for _, entry := range entries {
		out := strings.TrimSuffix(entry, path.Ext(entry))
		options.EntryPointsAdvanced = append(options.EntryPointsAdvanced,
			api.EntryPoint{InputPath: entry, OutputPath: out})
	}
	result := api.Build(options)
	for _, problem := range append(result.Errors, result.Warnings...) {
		return nil, fmt.Errorf("esbuild: %s", problem.Text)
	}
	made := make(map[string][]byte)
	for _, file := range result.OutputFiles {
		name := strings.TrimPrefix(file.Path, filepath.VolumeName(file.Path)) // "C:" on Windows
		made[strings.TrimPrefix(filepath.ToSlash(name), root+"/")] = file.Contents
	}
	return made, nil
}

// read makes a build read its files from sources, and none from the disk.
func read(b api.PluginBuild, sources fs.FS) {
	const space = "sources"
	b.OnResolve(api.OnResolveOptions{Filter: `\.(js|css)$`},
		func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			return api.OnResolveResult{Path: path.Join(path.Dir(args.Importer), args.Path), Namespace: space}, nil
		})
	b.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: space},
		func(args api.OnLoadArgs) (api.OnLoadResult, error) {
			body, err := fs.ReadFile(sources, args.Path)
			text, loader := string(body), api.LoaderJS
			if path.Ext(args.Path) == ".css" {
				loader = api.LoaderCSS
			}
			return api.OnLoadResult{Contents: &text, Loader: loader}, err
		})
}
