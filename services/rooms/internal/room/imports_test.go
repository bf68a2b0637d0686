package room_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The package does no I/O, reads no clock, starts no goroutine and makes no random choice: it imports nothing that could,
// and has no go statement. bus has neither a clock nor I/O; its only random functions make ids.
func TestThePackageIsPure(t *testing.T) {
	allowed := map[string]bool{
		"bytes": true, "cmp": true, "slices": true, "fmt": true, "signalling/api/bus": true, "signalling/api/operate": true,
		"crypto/sha256": true, "crypto/subtle": true, "encoding/base64": true, // they compute; salt comes from the caller
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	fset := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range f.Imports {
			if path, _ := strconv.Unquote(i.Path.Value); !allowed[path] {
				t.Errorf("%s imports %s", name, path)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s starts a goroutine", fset.Position(n.Pos()))
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "bus" && (n.Sel.Name == "NewID" || n.Sel.Name == "NewClientID") {
					t.Errorf("%s makes a random id", fset.Position(n.Pos()))
				}
			}
			return true
		})
	}
}
