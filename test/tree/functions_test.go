package tree_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"strings"
	"testing"
)

// longest is how many lines a function may have, SQL aside, and in tests tables of cases aside.
const longest = 60

// A function fits on the screen.
func TestTree_functionLength(t *testing.T) {
	for _, file := range tracked(t) {
		if path.Ext(file) != ".go" {
			continue
		}
		for name, lines := range functionLengths(t, file, read(t, file)) {
			if lines > longest {
				t.Errorf("%s: %s has %d lines, want at most %d", file, name, lines, longest)
			}
		}
	}
}

// functionLengths returns the lines of each function in a file.
func functionLengths(t *testing.T, file string, content []byte) map[string]int {
	t.Helper()
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, content, 0)
	if err != nil {
		t.Fatal(err)
	}
	lengths := map[string]int{}
	for _, declaration := range parsed.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			if d.Body != nil {
				n := lines(set, d) - aside(set, d.Body, strings.HasSuffix(file, "_test.go"))
				lengths[d.Name.Name] = max(lengths[d.Name.Name], n) // methods of two types may share a name
			}
		case *ast.GenDecl:
			ast.Inspect(d, func(n ast.Node) bool {
				literal, ok := n.(*ast.FuncLit)
				if ok {
					lengths["a function in line "+set.Position(literal.Pos()).String()] = lines(set, literal) - aside(set, literal.Body, true)
				}
				return !ok
			})
		}
	}
	return lengths
}

func lines(set *token.FileSet, n ast.Node) int {
	return set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1
}

var sql = regexp.MustCompile(`\b(SELECT|INSERT|UPDATE|DELETE|CREATE|WITH|PRAGMA)\b`)

// aside returns how many lines of a body are SQL in raw strings, or rows of tables if tables is
// true. A table is a literal of a map, a slice or an array without functions.
func aside(set *token.FileSet, body ast.Node, tables bool) (n int) {
	ast.Inspect(body, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.BasicLit:
			if node.Kind == token.STRING && sql.MatchString(node.Value) {
				n += lines(set, node) - 1
			}
		case *ast.CompositeLit:
			if tables && isTable(node) {
				n += max(lines(set, node)-2, 0)
				return false
			}
		}
		return true
	})
	return n
}

func isTable(literal *ast.CompositeLit) bool {
	switch literal.Type.(type) {
	case *ast.MapType, *ast.ArrayType:
	default:
		return false
	}
	table := true
	for _, element := range literal.Elts {
		ast.Inspect(element, func(n ast.Node) bool {
			if _, is := n.(*ast.FuncLit); is {
				table = false
			}
			return table
		})
	}
	return table
}

// SQL and tables of cases do not count as lines of a function.
func TestTree_functionLengths(t *testing.T) {
	const source = "package x\n\nfunc f() {\n\tq := `\n\tSELECT 1\n\tFROM x`\n\tfor _, c := range []int{\n\t\t1,\n\t\t2,\n\t} {\n\t\tg(q, c)\n\t}\n}\n"
	for file, want := range map[string]int{"x.go": 9, "x_test.go": 7} {
		if got := functionLengths(t, file, []byte(source))["f"]; got != want {
			t.Errorf("f has %d lines in %s, want %d", got, file, want)
		}
	}
}
