package docs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Command is a command of a block of shell code.
type Command struct {
	// File and Line are where it is.
	File string
	Line int
	// Text is what a shell gets; it may have several lines.
	Text string
	// Shows reports whether the block shows the output: that of a console does.
	Shows bool
	// Output is what the block shows.
	Output string
	// Exit is the exit code: 0, or N of the comment "# exits with N".
	Exit int
	// NotRun and Module are those of the block.
	NotRun, Module string
}

var exits = regexp.MustCompile(`# exits with (\d+)`)

// Commands returns the commands of the blocks in the languages sh and console. In a console
// each begins with "$ ", and the lines after it are its output. In sh each line is a command,
// unless a quote, a backslash, an operator or a here-document continues it; comments are none.
func Commands(blocks []Block) []Command {
	var all []Command
	for _, b := range Select(blocks, "sh", "console") {
		lines := strings.Split(strings.TrimSuffix(b.Code, "\n"), "\n")
		for i := 0; i < len(lines); i++ {
			text := lines[i]
			if b.Lang == "console" {
				var found bool
				if text, found = strings.CutPrefix(text, "$ "); !found {
					if n := len(all); n > 0 && all[n-1].File == b.File && all[n-1].Line >= b.Line {
						all[n-1].Output += lines[i] + "\n"
					}
					continue
				}
			} else if trimmed := strings.TrimSpace(text); trimmed == "" || trimmed[0] == '#' {
				continue
			}
			c := Command{File: b.File, Line: b.Line + i, Text: text, Shows: b.Lang == "console", NotRun: b.NotRun, Module: b.Module}
			for i+1 < len(lines) && continues(c.Text) {
				i++
				c.Text += "\n" + strings.TrimPrefix(lines[i], "> ")
			}
			if match := exits.FindStringSubmatch(c.Text); match != nil {
				c.Exit, _ = strconv.Atoi(match[1])
			}
			all = append(all, c)
		}
	}
	return all
}

var hereDocument = regexp.MustCompile(`<<-?\s*['"]?(\w+)['"]?`)

// continues reports whether the command needs another line.
func continues(text string) bool {
	if match := hereDocument.FindStringSubmatch(text); match != nil {
		lines := strings.Split(text, "\n")
		return len(lines) == 1 || strings.TrimSpace(lines[len(lines)-1]) != match[1]
	}
	var quote, last rune
	escaped := false
	for _, r := range text {
		switch {
		case escaped:
			escaped = false
			continue
		case r == '\\' && quote != '\'':
			escaped = true
		case quote != 0:
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
		case r == '#' && (last == 0 || last == ' ' || last == '\n'):
			return false
		}
		last = r
	}
	text = strings.TrimSpace(text)
	return escaped || quote != 0 || strings.HasSuffix(text, "|") || strings.HasSuffix(text, "&&")
}

var (
	makeTarget = regexp.MustCompile(`(?:^|[;&|]\s*)make((?: +[\w=./'-]+)+)`)
	goTool     = regexp.MustCompile(`(?:^|[;&|]\s*)go(?: -C (\S+))? (?:run|test|build|install|vet)\b(.*)`)
)

// CheckShell returns an error for each block of commands whose reason not to be run is none
// of [Reasons], or whose language has another name, and for each command that names a target
// which the Makefile in root does not have, or a package directory that does not exist: below
// root, or for a doc comment below its module.
func CheckShell(root string, pages []Page, sources []Block) error {
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		return fmt.Errorf("read the targets: %w", err)
	}
	targets := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^([a-z0-9-]+):`).FindAllStringSubmatch(string(text), -1) {
		targets[match[1]] = true
	}
	var errs []error
	check := func(file string, line int, in, command string) {
		for _, match := range makeTarget.FindAllStringSubmatch(command, -1) {
			for word := range strings.FieldsSeq(match[1]) {
				if !strings.Contains(word, "=") && !strings.HasPrefix(word, "-") && !targets[word] {
					errs = append(errs, fmt.Errorf("%s:%d: make has no target %s", file, line, word))
				}
			}
		}
		for _, match := range goTool.FindAllStringSubmatch(command, -1) {
			for word := range strings.FieldsSeq(match[2]) {
				if dir := strings.TrimSuffix(strings.TrimSuffix(word, "/..."), "..."); strings.HasPrefix(word, "./") {
					_, below := os.Stat(filepath.Join(root, match[1], dir))
					if _, err := os.Stat(filepath.Join(root, in, match[1], dir)); err != nil && below != nil {
						errs = append(errs, fmt.Errorf("%s:%d: there is no package %s: %w", file, line, word, err))
					}
				}
			}
		}
	}
	blocks := slices.Clone(sources)
	for _, p := range pages {
		blocks = append(blocks, p.Blocks...)
		prose := prose(p.Text)
		for _, at := range codeSpan.FindAllStringSubmatchIndex(prose, -1) {
			if span := prose[at[2]:at[3]]; strings.HasPrefix(span, "make ") {
				check(p.Path, 1+strings.Count(prose[:at[2]], "\n"), "", span)
			}
		}
	}
	for _, b := range blocks {
		if b.NotRun != "" && !slices.Contains(Reasons, b.NotRun) {
			errs = append(errs, fmt.Errorf("%s:%d: %q is no reason not to run a block: they are %q", b.File, b.Line, b.NotRun, Reasons))
		}
		if !slices.Contains([]string{"", "go", "sh", "console", "yaml", "json", "python"}, b.Lang) || b.Lang == "python" && b.NotRun == "" {
			errs = append(errs, fmt.Errorf("%s:%d: no test checks a block of the language %q", b.File, b.Line, b.Lang))
		}
	}
	for _, c := range Commands(sources) {
		check(c.File, c.Line, c.Module, c.Text)
	}
	for _, c := range Commands(blocks[len(sources):]) {
		check(c.File, c.Line, "", c.Text)
	}
	return errors.Join(errs...)
}
