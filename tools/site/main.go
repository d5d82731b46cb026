// Site makes static HTML of the repository's Markdown: README.md becomes index.html, and each
// other page has its own name.
//
//	go -C tools/site run . -root ../.. -out ../../site
//
// Links between pages lead to the pages of the site, those to images and texts below docs to
// copies, and those to any other file to GitHub. Headings have the ids that GitHub gives them.
// The navigation has the pages in the order in which docs/README.md links to them.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	root := flag.String("root", ".", "the top directory of the repository")
	out := flag.String("out", "site", "the directory that gets the site, and is removed first")
	flag.Parse()
	pages, err := build(*root, *out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1)
	}
	fmt.Printf("%d pages in %s: open %s/index.html\n", pages, *out, *out)
}
