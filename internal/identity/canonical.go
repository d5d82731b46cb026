package identity

import (
	"bytes"
	"slices"
)

// alwaysPrinted are the keys of structs (not pointers) in the API types:
// encoding/json prints them as {} when they are empty, and a later release of the
// types may stop doing so. Elsewhere {} has a meaning (emptyDir, an all-matching
// label selector) and stays.
func alwaysPrinted(key []byte) bool {
	return string(key) == `"metadata"` || string(key) == `"resources"`
}

// canonicalJSON rewrites the output of json.Marshal, and no other text: it sorts keys, and
// omits nulls and the empty objects of alwaysPrinted keys. It leaves strings as they are
// encoded, and compares keys in that form. It is called for every step that is started or
// resumed; a tree of maps would cost three times as much.
func canonicalJSON(raw []byte) []byte {
	c := canonicalizer{in: raw, out: make([]byte, 0, len(raw))}
	c.value()
	return c.out
}

type canonicalizer struct {
	in      []byte // what is left to read
	out     []byte
	members []member // of the objects that are open
	sorted  []byte
}

// member is a member of an object, as a part of out.
type member struct{ begin, colon, end int }

func (c *canonicalizer) value() {
	switch c.in[0] {
	case '{':
		c.object()
	case '[':
		c.array()
	case '"':
		c.text()
	default: // a number, true, false or null
		n := bytes.IndexAny(c.in, ",]}")
		if n < 0 {
			n = len(c.in)
		}
		c.copy(n)
	}
}

func (c *canonicalizer) copy(n int) {
	c.out = append(c.out, c.in[:n]...)
	c.in = c.in[n:]
}

func (c *canonicalizer) text() {
	n := 1
	for c.in[n] != '"' {
		if c.in[n] == '\\' {
			n++
		}
		n++
	}
	c.copy(n + 1)
}

func (c *canonicalizer) array() {
	c.copy(1)
	for c.in[0] != ']' {
		c.value()
		if c.in[0] == ',' {
			c.copy(1)
		}
	}
	c.copy(1)
}

func (c *canonicalizer) object() {
	c.copy(1)
	first, begin := len(c.members), len(c.out)
	for c.in[0] != '}' {
		m := member{begin: len(c.out)}
		c.text()
		m.colon = len(c.out)
		c.copy(1)
		c.value()
		m.end = len(c.out)
		switch value := c.out[m.colon+1:]; {
		case string(value) == "null", string(value) == "{}" && alwaysPrinted(c.out[m.begin:m.colon]):
			c.out = c.out[:m.begin]
		default:
			c.members = append(c.members, m)
		}
		if c.in[0] == ',' {
			c.in = c.in[1:]
		}
	}
	c.in = c.in[1:]
	members := c.members[first:]
	slices.SortFunc(members, func(a, b member) int {
		return bytes.Compare(c.out[a.begin+1:a.colon-1], c.out[b.begin+1:b.colon-1]) // without the quotes
	})
	sorted := c.sorted[:0]
	for i, m := range members {
		if i > 0 {
			sorted = append(sorted, ',')
		}
		sorted = append(sorted, c.out[m.begin:m.end]...)
	}
	c.out = append(append(c.out[:begin], sorted...), '}')
	c.sorted, c.members = sorted, c.members[:first]
}
