package otel_test

import (
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

const deploy = "../../deploy/"

// target are the labels that Prometheus adds to what it scrapes from a pod.
var target = []string{"namespace", "pod", "job", "instance"}

// goldenMetrics are the series that the exporter has: their labels by name.
func goldenMetrics(t *testing.T) (series map[string][]string, names []string) {
	t.Helper()
	text, err := os.ReadFile(golden)
	require.NoError(t, err)
	series = map[string][]string{}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		labels := append(slices.Clone(target), f[2:]...)
		names = append(names, f[0])
		if f[1] != "histogram" {
			series[f[0]] = labels
			continue
		}
		series[f[0]+"_count"], series[f[0]+"_sum"] = labels, labels
		series[f[0]+"_bucket"] = append(slices.Clone(labels), "le")
	}
	return series, names
}

// checkExpr requires that an expression has only metrics and labels that exist, and returns the
// names of its series.
func checkExpr(t *testing.T, p parser.Parser, expr string, series map[string][]string) (used []string) {
	t.Helper()
	node, err := p.ParseExpr(expr)
	require.NoError(t, err, expr)
	known := map[string]bool{}
	parser.Inspect(node, func(n parser.Node, _ []parser.Node) error {
		s, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		labels, exists := series[s.Name]
		require.True(t, exists, "%s: no metric %s", expr, s.Name)
		used = append(used, s.Name)
		for _, m := range s.LabelMatchers {
			require.True(t, m.Name == model.MetricNameLabel || slices.Contains(labels, m.Name), "%s: %s has no label %s", expr, s.Name, m.Name)
		}
		for _, l := range labels {
			known[l] = true
		}
		return nil
	})
	parser.Inspect(node, func(n parser.Node, _ []parser.Node) error {
		if a, ok := n.(*parser.AggregateExpr); ok {
			for _, l := range a.Grouping {
				require.True(t, known[l], "%s: no label %s", expr, l)
			}
		}
		return nil
	})
	require.NotEmpty(t, used, expr)
	return used
}

// TestAlerts: Prometheus accepts the rules, and they are about metrics that exist.
func TestAlerts(t *testing.T) {
	t.Parallel()
	p := parser.NewParser(parser.Options{})
	groups, errs := rulefmt.ParseFile(deploy+"alerts.yaml", false, model.LegacyValidation, p, slog.New(slog.DiscardHandler))
	require.Empty(t, errs)
	series, _ := goldenMetrics(t)
	docs, err := os.ReadFile("../../docs/observability.md")
	require.NoError(t, err)
	seen := 0
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			seen++
			checkExpr(t, p, r.Expr, series)
			require.True(t, strings.HasPrefix(r.Alert, "Kontinue"), r.Alert)
			require.Contains(t, []string{"info", "warning", "critical"}, r.Labels["severity"])
			require.NotEmpty(t, r.Annotations["summary"])
			require.NotEmpty(t, r.Annotations["description"])
			require.Contains(t, string(docs), "`"+r.Alert+"`")
		}
	}
	require.GreaterOrEqual(t, seen, 8)
}

// TestDashboard: each panel is about metrics that exist, and each metric has a panel.
func TestDashboard(t *testing.T) {
	t.Parallel()
	type target struct{ Expr, LegendFormat string }
	type panel struct {
		ID      int
		Type    string
		Title   string
		Targets []target
	}
	var board struct {
		UID    string
		Panels []panel
	}
	text, err := os.ReadFile(deploy + "dashboard.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &board))
	p := parser.NewParser(parser.Options{})
	series, names := goldenMetrics(t)
	used, ids := map[string]bool{}, map[int]bool{}
	for _, panel := range board.Panels {
		require.False(t, ids[panel.ID], "two panels have the same id")
		ids[panel.ID] = true
		require.NotEmpty(t, panel.Title)
		require.Equal(t, panel.Type == "row", len(panel.Targets) == 0, panel.Title)
		for _, target := range panel.Targets {
			require.NotEmpty(t, target.LegendFormat, panel.Title)
			expr := strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")
			for _, name := range checkExpr(t, p, expr, series) {
				for _, suffix := range []string{"_bucket", "_count", "_sum"} {
					name = strings.TrimSuffix(name, suffix)
				}
				used[name] = true
			}
		}
	}
	require.Equal(t, slices.Sorted(slices.Values(names)), slices.Sorted(maps.Keys(used)))
}

// TestDocumentation: the page lists each metric with its labels.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../../docs/observability.md")
	require.NoError(t, err)
	text, err := os.ReadFile(golden)
	require.NoError(t, err)
	documented := map[string]string{}
	for line := range strings.Lines(string(docs)) {
		cells := strings.Split(line, "|")
		if len(cells) < 6 || !strings.Contains(cells[2], "`kontinue_") {
			continue
		}
		clean := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "`", "")) }
		labels := strings.Fields(strings.ReplaceAll(clean(cells[4]), ",", " "))
		slices.Sort(labels)
		documented[clean(cells[2])] = strings.TrimSpace(clean(cells[3]) + " " + strings.Join(labels, " "))
	}
	golden := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		golden[name] = rest
	}
	require.Equal(t, golden, documented)
}
