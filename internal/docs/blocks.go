package docs

import (
	"regexp"
	"strings"
)

// Block is a piece of code in the documentation.
type Block struct {
	// File is the file that contains the block.
	File string
	// Line is the line of its first line of code, from 1.
	Line int
	// Lang is the info string of a fence, such as "go", "sh" or "yaml", and may be empty.
	Lang string
	// NotRun is the reason why no test runs the block, from the comment
	// <!-- not run: REASON --> on the line before it.
	NotRun string
	// From is the file that the block is a part of, from the comment <!-- from PATH --> on
	// the line before it.
	From string
	// Module is the directory of the Go module that the block is compiled in: that of File.
	// Empty is the root module.
	Module string
	// Code is its text, without the indent of a comment.
	Code string
}

// Reasons are the reasons for which a block of commands is not run.
var Reasons = []string{"needs kind", "needs the network", "needs a foreign cluster", "takes minutes", "needs root"}

var marker = regexp.MustCompile(`^<!-- (not run:|from) (.+) -->$`)

// Markdown returns the fenced blocks of a Markdown text.
func Markdown(file, text string) []Block {
	var blocks []Block
	var open, before string // the fence that the line is in, if any; the line before
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		fence := trimmed[:len(trimmed)-len(strings.TrimLeft(trimmed, "`"))]
		switch {
		case open == "" && len(fence) >= 3:
			open = fence
			block := Block{File: file, Line: i + 2, Lang: strings.TrimSpace(trimmed[len(fence):])}
			if match := marker.FindStringSubmatch(before); match != nil && match[1] == "from" {
				block.From = match[2]
			} else if match != nil {
				block.NotRun = match[2]
			}
			blocks = append(blocks, block)
		case open != "" && len(fence) >= len(open) && trimmed == fence:
			open = ""
		case open != "":
			blocks[len(blocks)-1].Code += line + "\n"
		}
		before = trimmed
	}
	return blocks
}

// Select returns the blocks with one of the languages.
func Select(blocks []Block, langs ...string) []Block {
	var selected []Block
	for _, b := range blocks {
		for _, lang := range langs {
			if b.Lang == lang {
				selected = append(selected, b)
			}
		}
	}
	return selected
}

// prose returns the text with the lines of its fenced blocks empty.
func prose(text string) string {
	lines := strings.Split(text, "\n")
	for _, b := range Markdown("", text) {
		for i := range strings.Count(b.Code, "\n") {
			lines[b.Line-1+i] = ""
		}
	}
	return strings.Join(lines, "\n")
}
