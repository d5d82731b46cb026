package lint

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

// Survey parses the public packages of the module in dir, which are those that
// other modules may import, and returns them sorted by Dir. It skips the folders
// internal, testdata, vendor, examples and test, folders whose name starts with a
// dot or an underscore, commands (package main), and nested modules, which have
// their own go.mod. It returns an error if dir cannot be read or a file does not
// parse. The packages need not compile.
func Survey(dir string) ([]Package, error) {
	var packages []Package
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if path != dir && !public(path, d.Name()) {
			return fs.SkipDir
		}
		files, name, err := parse(path)
		if err != nil || len(files) == 0 || name == "main" {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		p := Package{Dir: filepath.ToSlash(rel), Name: name}
		for _, f := range files {
			p.add(f)
		}
		slices.Sort(p.Names)
		slices.Sort(p.Undocumented)
		packages = append(packages, p)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("survey the packages in %s: %w", dir, err)
	}
	slices.SortFunc(packages, func(a, b Package) int { return strings.Compare(a.Dir, b.Dir) })
	return packages, nil
}

// public reports whether the folder can hold public packages of the module.
func public(path, name string) bool {
	switch name {
	case "internal", "testdata", "examples", "test", "vendor":
		return false
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return false
	}
	_, err := os.Stat(filepath.Join(path, "go.mod"))
	return err != nil
}

// parse parses the Go files that a build on this platform would include, without
// tests, and returns them with the name of their package.
func parse(dir string) ([]*ast.File, string, error) {
	pkg, err := build.ImportDir(dir, 0)
	if noGo := (*build.NoGoError)(nil); errors.As(err, &noGo) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range pkg.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, "", err
		}
		files = append(files, f)
	}
	return files, pkg.Name, nil
}

// add counts the exported declarations of one file.
func (p *Package) add(f *ast.File) {
	for _, decl := range f.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			p.addFunc(d)
		case *ast.GenDecl:
			enum := isEnum(d)
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					p.addType(s, d.Doc)
				case *ast.ValueSpec:
					p.addValues(s, d.Doc, enum)
				}
			}
		}
	}
}

func (p *Package) addFunc(d *ast.FuncDecl) {
	if !d.Name.IsExported() {
		return
	}
	if d.Recv == nil {
		p.name(d.Name.Name, d.Doc)
		return
	}
	if recv := receiver(d.Recv.List[0].Type); ast.IsExported(recv) {
		p.member(recv+"."+d.Name.Name, d.Doc)
	}
}

func (p *Package) addType(s *ast.TypeSpec, group *ast.CommentGroup) {
	if !s.Name.IsExported() {
		return
	}
	p.name(s.Name.Name, s.Doc, s.Comment, group)
	var fields *ast.FieldList
	switch t := s.Type.(type) {
	case *ast.StructType:
		fields = t.Fields
	case *ast.InterfaceType:
		fields = t.Methods
	default:
		return
	}
	for _, field := range fields.List {
		for _, name := range field.Names {
			if !name.IsExported() {
				continue
			}
			docs := []*ast.CommentGroup{field.Doc, field.Comment}
			if mentions(name.Name, s.Doc, group) {
				docs = append(docs, s.Doc, group)
			}
			p.member(s.Name.Name+"."+name.Name, docs...)
		}
	}
}

// mentions reports whether one of the comments contains the name as a word: the
// comment of a type may document its fields.
func mentions(name string, docs ...*ast.CommentGroup) bool {
	for _, doc := range docs {
		words := strings.FieldsFunc(doc.Text(), func(r rune) bool {
			return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
		})
		if slices.Contains(words, name) {
			return true
		}
	}
	return false
}

// isEnum reports whether a declaration is a block of constants of a type of their own.
func isEnum(d *ast.GenDecl) bool {
	if d.Tok != token.CONST || !d.Lparen.IsValid() {
		return false
	}
	first, ok := d.Specs[0].(*ast.ValueSpec)
	if !ok {
		return false
	}
	if named, ok := first.Type.(*ast.Ident); ok {
		return named.IsExported()
	}
	// The same by a conversion: Name = Type(value).
	if len(first.Values) == 1 {
		if call, ok := first.Values[0].(*ast.CallExpr); ok {
			named, ok := call.Fun.(*ast.Ident)
			return ok && named.IsExported()
		}
	}
	return false
}

// addValues counts a comment on the group for each of its names, as godoc shows it.
// The constants of an enum and error values are apart from the budget.
func (p *Package) addValues(s *ast.ValueSpec, group *ast.CommentGroup, enum bool) {
	for _, name := range s.Names {
		if name.IsExported() {
			p.name(name.Name, s.Doc, s.Comment, group)
			if enum || strings.HasPrefix(name.Name, "Err") {
				p.Apart++
			}
		}
	}
}

func (p *Package) name(name string, docs ...*ast.CommentGroup) {
	p.Names = append(p.Names, name)
	p.document(name, docs)
}

func (p *Package) member(name string, docs ...*ast.CommentGroup) {
	p.Members++
	p.document(name, docs)
}

func (p *Package) document(name string, docs []*ast.CommentGroup) {
	for _, doc := range docs {
		if strings.TrimSpace(doc.Text()) != "" {
			return
		}
	}
	p.Undocumented = append(p.Undocumented, name)
}

// receiver returns the name of a receiver's type: T for T, *T, T[K] and *T[K, V].
func receiver(expr ast.Expr) string {
	for {
		switch t := expr.(type) {
		case *ast.Ident:
			return t.Name
		case *ast.StarExpr:
			expr = t.X
		case *ast.IndexExpr:
			expr = t.X
		case *ast.IndexListExpr:
			expr = t.X
		default:
			return ""
		}
	}
}
