package tree_test

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Each test that a document names is there. A name that ends with _ stands for all that begin so.
func TestTree_namedTests(t *testing.T) {
	var there []string
	function := regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)\w+)\(`)
	files := tracked(t)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			for _, found := range function.FindAllStringSubmatch(string(read(t, file)), -1) {
				there = append(there, found[1])
			}
		}
	}
	named := regexp.MustCompile("`((?:Test|Benchmark|Fuzz)[A-Z]\\w*)`")
	for _, file := range files {
		if path.Ext(file) != ".md" {
			continue
		}
		for _, found := range named.FindAllStringSubmatch(string(read(t, file)), -1) {
			name := found[1]
			if !slices.ContainsFunc(there, func(one string) bool {
				return one == name || strings.HasSuffix(name, "_") && strings.HasPrefix(one, name)
			}) {
				t.Errorf("%s names %s, which is not there", file, name)
			}
		}
	}
}
