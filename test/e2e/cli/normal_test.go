package cli

import (
	"regexp"
	"strings"
)

// chance are the parts of an output that differ between two runs on the same cluster, and
// what they are replaced by.
var chance = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UID"},
	{regexp.MustCompile(`\b([ap])-[bcdfghjklmnpqrstvwxz2456789]{5}\b`), "$1-POD"},
	{regexp.MustCompile(`\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z`), "TIME"},
	{regexp.MustCompile(`\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} \+0000`), "TIME"},
	{regexp.MustCompile(`Invalid value: \{.*\}: `), "Invalid value: OBJECT: "},
	{regexp.MustCompile(`(resourceVersion"?: )"\d+"`), "$1VERSION"},
	{regexp.MustCompile(`\b\d+m?s\b`), "AGE"},
	{regexp.MustCompile(`\b(10\.\d+|192\.168)\.\d+\.\d+\b`), "IP"},
	{regexp.MustCompile(`https?://[0-9.]+:\d+`), "SERVER"},
	{regexp.MustCompile(`containerd://[0-9a-f]+`), "CONTAINER"},
	{regexp.MustCompile(` +`), " "}, // columns are as wide as what is in them
	{regexp.MustCompile(` \n`), "\n"},
}

// normal returns the text without what differs by chance.
func (s *site) normal(text string) string {
	text = strings.ReplaceAll(text, s.image, "IMAGE")
	text = strings.ReplaceAll(text, s.kubeconfig, "KUBECONFIG")
	for _, node := range s.nodes {
		text = strings.ReplaceAll(text, node, "NODE")
	}
	for _, c := range chance {
		text = c.pattern.ReplaceAllString(text, c.with)
	}
	return text
}
