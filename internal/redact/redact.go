package redact

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	batchv1 "k8s.io/api/batch/v1"
)

// Secrets are values of a pod template that may be confidential.
type Secrets []string

const (
	redacted = "[redacted]"
	// A value of at least longValue characters is replaced wherever it occurs, one of
	// at least shortValue where it is a whole word, and a shorter one only in quotes:
	// a text without its 1s and 2s would say nothing.
	longValue, shortValue = 6, 3
	// A line of a multi-line value is treated as a separate value from this length on: a
	// server that prints YAML indents each line.
	longLine = 8
)

// vocabulary are words of the API server's own answers, which nobody keeps secret: a
// variable whose value is "limit" must not make an error about a quota unreadable.
var vocabulary = words(`
	true false none default null
	admission annotations args batch command container containers count cpu create denied
	env error exceeded failed field forbidden image init invalid job jobs kubernetes label
	labels limit limited limits memory metadata name names namespace namespaces pod pods
	policy quota request requested requests required resource resources run script secret
	secrets spec storage template type types unsupported used user value values volume
	volumes webhook
`)

func words(text string) map[string]bool {
	all := map[string]bool{}
	for word := range strings.FieldsSeq(text) {
		all[word] = true
	}
	return all
}

// hidden are the fields whose values may be confidential.
var hidden = map[string]bool{
	"env": true, "args": true, "command": true, "annotations": true, "httpHeaders": true,
	"httpGet": true, "volumeAttributes": true, "options": true,
}

// Hidden reports whether the value of a field of a pod template, such as env, may be
// confidential. It depends on the field's JSON name, at any depth of the template.
func Hidden(field string) bool { return hidden[field] }

// Of collects the values of the [Hidden] fields of a Job's pod template, wherever
// they occur: in containers of every kind, their probes and lifecycle hooks.
func Of(job *batchv1.Job) Secrets {
	var tree any
	if raw, err := json.Marshal(&job.Spec.Template); err == nil {
		_ = json.Unmarshal(raw, &tree) // what Marshal wrote is valid JSON
	}
	all := map[string]bool{}
	add := func(v string) {
		all[v] = true
		if flag, value, ok := strings.Cut(v, "="); ok && strings.HasPrefix(flag, "-") {
			all[value] = true
		}
		if strings.Contains(v, "\n") {
			for line := range strings.Lines(v) {
				if line = strings.TrimSpace(line); len(line) >= longLine {
					all[line] = true
				}
			}
		}
	}
	collect(tree, "", add)
	maps.DeleteFunc(all, func(v string, _ bool) bool {
		return v == "" || v == job.Namespace || v == job.Name || vocabulary[v]
	})
	return slices.Collect(maps.Keys(all))
}

// collect calls add for each string below a hidden field; under is that field. Of a
// variable or a header it collects the value only: its name says which one is wrong,
// and valueFrom has the name of a Secret's key, not its content.
func collect(node any, under string, add func(string)) {
	switch n := node.(type) {
	case string:
		if under != "" {
			add(n)
		}
	case []any:
		for _, e := range n {
			collect(e, under, add)
		}
	case map[string]any:
		for k, e := range n {
			switch {
			case (under == "env" || under == "httpHeaders") && k != "value":
			case under == "httpGet" && k != "path" && k != "httpHeaders": // a token may be part of the path
			case (under == "" || under == "httpGet") && hidden[k]:
				collect(e, k, add)
			default:
				collect(e, under, add)
			}
		}
	}
}

// Hide replaces the values in a text by [redacted], in any form of quoting.
func (s Secrets) Hide(text string) string {
	var all []form
	for _, v := range s {
		// Quoting never makes it shorter, and leaves letters and digits as they are. A
		// script has hundreds of lines, and each has dozens of forms.
		if len(v) <= len(text) && strings.Contains(text, core(v)) {
			all = append(all, forms(v)...)
		}
	}
	// Longest first, so that no part of one is left.
	slices.SortFunc(all, func(a, b form) int { return len(b.text) - len(a.text) })
	for _, f := range all {
		text = f.replace(text)
	}
	return text
}

// core returns the longest part of v that every form of it has: ASCII letters and digits.
func core(v string) (longest string) {
	for part := range strings.FieldsFuncSeq(v, func(r rune) bool {
		return r >= utf8.RuneSelf || !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		if len(part) > len(longest) {
			longest = part
		}
	}
	return longest
}

// form is one way to write a value, with the number of characters of the value.
type form struct {
	text       string
	characters int
}

// forms returns the ways to quote v in a text, once and twice: servers quote objects
// as JSON in a string, and webhooks quote the server's answer.
func forms(v string) []form {
	all := escapes(v)
	for _, once := range slices.Clone(all) {
		all = append(all, escapes(once)...)
	}
	slices.Sort(all)
	var out []form
	for _, text := range slices.Compact(all) {
		out = append(out, form{text, utf8.RuneCountInString(v)})
	}
	return out
}

// escapes returns v as it is, as a Go string (%q, %+q), and as JSON by Go (with and
// without & < > escaped) and by libraries that write only ASCII.
func escapes(v string) []string {
	var plain bytes.Buffer
	encoder := json.NewEncoder(&plain)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v) // a string always can be
	html, _ := json.Marshal(v)
	all := []string{strconv.Quote(v), strconv.QuoteToASCII(v), strings.TrimSuffix(plain.String(), "\n"), string(html)}
	for i, quoted := range all {
		all[i] = quoted[1 : len(quoted)-1]
	}
	return append(all, v, ascii(all[2]), ascii(all[3]))
}

// ascii escapes what is not ASCII in JSON text as JSON does: in UTF-16.
func ascii(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

func (f form) replace(text string) string {
	if f.characters >= longValue {
		return strings.ReplaceAll(text, f.text, redacted)
	}
	var b strings.Builder
	kept := 0 // the text before it is in b already
	for from := 0; ; {
		next := strings.Index(text[from:], f.text)
		if next < 0 {
			return b.String() + text[kept:]
		}
		start := from + next
		end := start + len(f.text)
		before, _ := utf8.DecodeLastRuneInString(text[:start])
		after, _ := utf8.DecodeRuneInString(text[end:])
		if !f.stands(before, after) {
			from = start + 1
			continue
		}
		b.WriteString(text[kept:start] + redacted)
		kept, from = end, end
	}
}

// stands reports whether a short value between these two runes is a whole word. At the
// start or end of the text they are utf8.RuneError.
func (f form) stands(before, after rune) bool {
	if f.characters < shortValue {
		return strings.ContainsRune("\"'`", before) && strings.ContainsRune("\"'`\\", after)
	}
	word := func(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
	return !word(before) && !word(after)
}
