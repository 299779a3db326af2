package relay_test

import (
	"os"
	"strings"
	"testing"
)

// TestReadmeQuickstart holds the README's quickstart to the package's example,
// which compiles and has its output checked.
func TestReadmeQuickstart(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(readme), "```go\n")
	code, _, ok2 := strings.Cut(rest, "```")
	if !ok || !ok2 {
		t.Fatal("the README has no quickstart")
	}
	code, _, _ = strings.Cut(code, "// relay [") // its output, as comments
	_, rest, _ = strings.Cut(string(example), "func Example() {\n")
	body, _, _ := strings.Cut(rest, "\t// Output:")
	if want := strings.ReplaceAll("\n"+body, "\n\t", "\n"); strings.TrimSpace(want) != strings.TrimSpace(code) {
		t.Errorf("README:\n%s\nexample:\n%s", code, want)
	}
}
