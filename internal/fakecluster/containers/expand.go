package containers

import "strings"

// Expand replaces $(NAME) by the variable's value, as the kubelet does in env
// values, command and args: an unknown reference stays as it is, and $$ stands
// for one $ that starts no reference.
func Expand(text string, lookup func(string) (string, bool)) string {
	var out strings.Builder
	for {
		at := strings.IndexByte(text, '$')
		if at < 0 || at+1 == len(text) {
			out.WriteString(text)
			return out.String()
		}
		out.WriteString(text[:at])
		rest := text[at+1:]
		switch rest[0] {
		case '$':
			out.WriteByte('$')
			text = rest[1:]
		case '(':
			end := strings.IndexByte(rest, ')')
			if end < 0 {
				out.WriteString("$(")
				text = rest[1:]
				continue
			}
			if value, ok := lookup(rest[1:end]); ok {
				out.WriteString(value)
			} else {
				out.WriteString("$" + rest[:end+1])
			}
			text = rest[end+1:]
		default:
			out.WriteByte('$')
			text = rest
		}
	}
}
