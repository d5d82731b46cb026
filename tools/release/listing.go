package main

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/types"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// checkListings compares the exported declarations with those in api/, or writes them there.
// A change of them is a change of the public API, which a reviewer has to see.
func checkListings(ctx context.Context, out io.Writer, dir string, update bool) error {
	want := map[string]string{}
	for _, module := range modules {
		loaded, err := load(ctx, filepath.Join(dir, module))
		if err != nil {
			return err
		}
		for _, p := range loaded {
			lines, err := listing(p)
			if err != nil {
				return err
			}
			want[listingFile(dir, module, p)] = strings.Join(lines, "\n") + "\n"
		}
	}
	found, err := filepath.Glob(filepath.Join(dir, "api", "*.txt"))
	if err != nil {
		return err
	}
	stale := 0
	for _, path := range found {
		if _, exists := want[path]; !exists {
			stale++
			fmt.Fprintf(out, "%s: the package is gone\n", path)
			if update {
				err = errors.Join(err, os.Remove(path))
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(want)) {
		have, readErr := os.ReadFile(path)
		if readErr != nil && !os.IsNotExist(readErr) {
			return readErr
		}
		if string(have) == want[path] {
			continue
		}
		stale++
		for _, line := range changes(string(have), want[path]) {
			fmt.Fprintf(out, "%s: %s\n", path, line)
		}
		if update {
			err = errors.Join(err, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(want[path]), 0o644))
		}
	}
	if err == nil && stale > 0 && !update {
		return fmt.Errorf("the public API differs from %d files in api/: if that is intended, write it into CHANGELOG.md and run make api-update", stale)
	}
	return err
}

// changes lists the lines that are in one of the texts, with a sign.
func changes(before, after string) []string {
	old, now := strings.Split(before, "\n"), strings.Split(after, "\n")
	var out []string
	for _, line := range old {
		if !slices.Contains(now, line) {
			out = append(out, "- "+line)
		}
	}
	for _, line := range now {
		if !slices.Contains(old, line) {
			out = append(out, "+ "+line)
		}
	}
	return out
}

// listing returns a line for each exported declaration, field and method of the package,
// sorted. It returns an error that names each deprecation which does not say what replaces
// the name, or since when.
func listing(p *packages.Package) ([]string, error) {
	deprecated, err := deprecations(p)
	if err != nil {
		return nil, err
	}
	l := &lister{pkg: p.Types, deprecated: deprecated}
	for _, name := range p.Types.Scope().Names() {
		if object := p.Types.Scope().Lookup(name); object.Exported() {
			l.declare(object)
		}
	}
	slices.Sort(l.lines)
	return l.lines, nil
}

type lister struct {
	pkg        *types.Package
	deprecated map[string]bool // by name, or type and name
	lines      []string
}

// add adds a line for a name, which is that of a type and a member for a member.
func (l *lister) add(name, line string) {
	if l.deprecated[name] {
		line += " //deprecated"
	}
	l.lines = append(l.lines, line)
}

// qualify shortens a package to its path, and leaves out that of the listing.
func (l *lister) qualify(p *types.Package) string {
	if p == l.pkg {
		return ""
	}
	return p.Path()
}

func (l *lister) declare(object types.Object) {
	switch o := object.(type) {
	case *types.Const:
		l.add(o.Name(), fmt.Sprintf("const %s %s = %s", o.Name(), types.TypeString(o.Type(), l.qualify), o.Val().ExactString()))
	case *types.TypeName:
		l.declareType(o)
	default:
		l.add(o.Name(), types.ObjectString(o, l.qualify))
	}
}

func (l *lister) declareType(o *types.TypeName) {
	if o.IsAlias() {
		l.add(o.Name(), "type "+o.Name()+" = "+types.TypeString(types.Unalias(o.Type()), l.qualify))
		return
	}
	head := "type " + o.Name()
	switch under := o.Type().Underlying().(type) {
	case *types.Struct:
		l.add(o.Name(), head+" struct")
		for field := range under.Fields() {
			if field.Exported() {
				kind := " "
				if field.Embedded() {
					kind = " embeds "
				}
				l.add(o.Name()+"."+field.Name(), head+" struct, "+field.Name()+kind+types.TypeString(field.Type(), l.qualify))
			}
		}
	case *types.Interface:
		l.add(o.Name(), head+" interface")
		sealed := false
		for method := range under.Methods() {
			if !method.Exported() {
				sealed = true
				continue
			}
			l.add(o.Name()+"."+method.Name(), head+" interface, "+method.Name()+strings.TrimPrefix(types.TypeString(method.Type(), l.qualify), "func"))
		}
		if sealed {
			l.add(o.Name(), head+" interface, unexported methods")
		}
	default:
		l.add(o.Name(), head+" "+types.TypeString(under, l.qualify))
	}
	named, ok := o.Type().(*types.Named)
	if !ok {
		return
	}
	for method := range named.Methods() {
		if method.Exported() {
			l.add(o.Name()+"."+method.Name(), types.ObjectString(method, l.qualify))
		}
	}
}

// deprecations returns the names that the package's comments mark as deprecated.
func deprecations(p *packages.Package) (map[string]bool, error) {
	found := map[string]bool{}
	var err error
	note := func(name string, docs ...*ast.CommentGroup) {
		for _, doc := range docs {
			_, text, ok := strings.Cut("\n"+doc.Text(), "\nDeprecated: ")
			if !ok {
				continue
			}
			found[name] = true
			text, _, _ = strings.Cut(text, "\n\n")
			if !strings.Contains(text, "since v") || !strings.Contains(text, "use ") {
				err = errors.Join(err, fmt.Errorf("%s.%s: a deprecation says what to use, and since which version: \"Deprecated: use X, since v0.2.0.\"", p.PkgPath, name))
			}
		}
	}
	for _, file := range p.Syntax {
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					name = receiver(d.Recv.List[0].Type) + "." + name
				}
				note(name, d.Doc)
			case *ast.GenDecl:
				noteSpecs(d, note)
			}
		}
	}
	return found, err
}

func noteSpecs(d *ast.GenDecl, note func(string, ...*ast.CommentGroup)) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.ValueSpec:
			for _, name := range s.Names {
				note(name.Name, d.Doc, s.Doc)
			}
		case *ast.TypeSpec:
			note(s.Name.Name, d.Doc, s.Doc)
			var members *ast.FieldList
			switch t := s.Type.(type) {
			case *ast.StructType:
				members = t.Fields
			case *ast.InterfaceType:
				members = t.Methods
			}
			if members == nil {
				continue
			}
			for _, member := range members.List {
				for _, name := range member.Names {
					note(s.Name.Name+"."+name.Name, member.Doc)
				}
			}
		}
	}
}

// receiver returns the name of a receiver's type.
func receiver(expr ast.Expr) string {
	switch t := expr.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}
