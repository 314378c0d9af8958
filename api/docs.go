package api

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsHTML string

// docs serves the OpenAPI document as a page that loads nothing from other hosts and runs no
// script. The usual viewers load from other hosts, or are 11 MB large.
func (a *api) docs() http.Handler {
	page := template.Must(template.New("docs").Funcs(template.FuncMap{
		"type":     typeName,
		"prose":    prose,
		"required": func(s *huma.Schema, name string) bool { return slices.Contains(s.Required, name) },
		"body":     bodySchema,
	}).Parse(docsHTML))
	doc := a.huma.OpenAPI()
	var b bytes.Buffer
	if err := page.Execute(&b, map[string]any{
		"Info":    doc.Info,
		"Groups":  groups(doc),
		"Schemas": doc.Components.Schemas.Map(),
	}); err != nil {
		panic(err) // template and document are both part of the program
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), ofDocs)
		_, _ = w.Write(b.Bytes()) // the client may be gone
	})
}

// group has the operations of one tag.
type group struct {
	Tag        string
	Operations []*huma.Operation
}

// groups returns the operations by tag, in the order of the document's tags.
func groups(doc *huma.OpenAPI) []group {
	byTag := map[string][]*huma.Operation{}
	for _, path := range slices.Sorted(maps.Keys(doc.Paths)) {
		item := doc.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Put, item.Post, item.Patch, item.Delete} {
			if op != nil {
				byTag[op.Tags[0]] = append(byTag[op.Tags[0]], op)
			}
		}
	}
	var list []group
	for _, tag := range doc.Tags {
		list = append(list, group{tag.Name, byTag[tag.Name]})
	}
	return list
}

// prose returns a text as HTML, with the parts between backticks as code.
func prose(s string) template.HTML {
	var b strings.Builder
	for i, part := range strings.Split(s, "`") {
		part = template.HTMLEscapeString(part)
		if i%2 == 1 {
			part = "<code>" + part + "</code>"
		}
		b.WriteString(part)
	}
	return template.HTML(b.String()) //nolint:gosec // escaped above
}

// bodySchema returns the schema of the first media type, or nil if there is none.
func bodySchema(content map[string]*huma.MediaType) *huma.Schema {
	for _, name := range slices.Sorted(maps.Keys(content)) {
		return content[name].Schema
	}
	return nil
}

// typeName describes a schema in words. If the schema has a name, the result is a link to it.
func typeName(s *huma.Schema) template.HTML {
	if s == nil {
		return ""
	}
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		name = template.HTMLEscapeString(name)
		return template.HTML(fmt.Sprintf(`<a href="#shape-%s">%s</a>`, name, name)) //nolint:gosec // escaped above
	}
	if s.Type == huma.TypeArray {
		return "list of " + typeName(s.Items)
	}
	name := s.Type
	if s.Format != "" {
		name = s.Format
	}
	if inner, ok := s.AdditionalProperties.(*huma.Schema); ok {
		return "map to " + typeName(inner)
	}
	if s.Nullable {
		name += " or null"
	}
	for i, v := range s.Enum {
		name += map[bool]string{true: ": ", false: ", "}[i == 0] + fmt.Sprint(v)
	}
	if s.Minimum != nil && s.Maximum != nil {
		name += fmt.Sprintf(", %.0f to %.0f", *s.Minimum, *s.Maximum)
	}
	if s.MaxLength != nil {
		name += fmt.Sprintf(", at most %d characters", *s.MaxLength)
	}
	return template.HTML(template.HTMLEscapeString(name)) //nolint:gosec // escaped
}
