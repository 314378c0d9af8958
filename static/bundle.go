package static

import (
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// bundle returns what pages load, by name: each entry with all that it imports in
// one file, and beside them one for each part that is imported when it is needed. A
// browser has them in two round trips where modules of modules take five, and without
// what only people read they are a third less. What developers import is served as it
// was written. It takes some 30 ms.
func bundle(files fs.FS, entries ...string) (map[string][]byte, error) {
	const root = "/static"
	options := api.BuildOptions{
		Bundle: true, Splitting: true, Format: api.FormatESModule,
		MinifyWhitespace: true, MinifySyntax: true, MinifyIdentifiers: true,
		LegalComments: api.LegalCommentsInline,
		Outdir:        root, ChunkNames: "page/[name]",
		External: []string{"*.svg"},
		Plugins:  []api.Plugin{{Name: "embedded", Setup: func(build api.PluginBuild) { read(build, files) }}},
	}
	for _, entry := range entries {
		out := strings.TrimSuffix(entry, path.Ext(entry))
		options.EntryPointsAdvanced = append(options.EntryPointsAdvanced, api.EntryPoint{InputPath: entry, OutputPath: out})
	}
	result := api.Build(options)
	for _, problem := range append(result.Errors, result.Warnings...) {
		return nil, fmt.Errorf("bundle the page: %s", problem.Text)
	}
	made := make(map[string][]byte)
	for _, file := range result.OutputFiles {
		name := strings.TrimPrefix(file.Path, filepath.VolumeName(file.Path)) // on Windows the root is that of a drive
		made[strings.TrimPrefix(filepath.ToSlash(name), root+"/")] = file.Contents
	}
	return made, nil
}

// read lets a build see these files, and no disk.
func read(build api.PluginBuild, files fs.FS) {
	const space = "embedded"
	build.OnResolve(api.OnResolveOptions{Filter: `\.(js|css)$`}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
		return api.OnResolveResult{Path: path.Join(path.Dir(args.Importer), args.Path), Namespace: space}, nil
	})
	build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: space}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
		body, err := fs.ReadFile(files, args.Path)
		text, loader := string(body), api.LoaderJS
		if path.Ext(args.Path) == ".css" {
			loader = api.LoaderCSS
		}
		return api.OnLoadResult{Contents: &text, Loader: loader}, err
	})
}
