package bench

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// plot draws bytes per wait and CPU time per completion over N, with one line per
// style and logarithmic axes. It writes plain SVG, which needs no library.
func (r *Report) plot() string {
	var b strings.Builder
	fmt.Fprint(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="960" height="420" font-family="sans-serif" font-size="12">`+"\n")
	fmt.Fprint(&b, `<rect width="960" height="420" fill="white"/>`+"\n")
	r.panel(&b, 70, "bytes per wait", func(s summary) float64 { return s.memory })
	r.panel(&b, 410, "CPU seconds per 1,000 completions", func(s summary) float64 { return s.cpu })
	y := 40
	for i, style := range r.Styles {
		if style == Floor {
			continue
		}
		fmt.Fprintf(&b, `<rect x="720" y="%d" width="12" height="12" fill="%s"/><text x="738" y="%d">%s</text>`+"\n", y, color(i), y+10, html.EscapeString(style))
		y += 22
	}
	fmt.Fprint(&b, "</svg>\n")
	return b.String()
}

const (
	plotWidth, plotHeight = 250.0, 310.0
	plotTop               = 40.0
)

func (r *Report) panel(b *strings.Builder, left float64, title string, value func(summary) float64) {
	low, high := math.Inf(1), 0.0
	first, last := math.Inf(1), 0.0
	for _, n := range r.Waits {
		for _, style := range r.Styles {
			if s, ok := r.summary(style, n); ok && style != Floor && value(s) > 0 {
				low, high = min(low, value(s)), max(high, value(s))
				first, last = min(first, float64(n)), max(last, float64(n))
			}
		}
	}
	if high == 0 {
		return
	}
	bottom, top := math.Floor(math.Log10(low)), math.Ceil(math.Log10(high))
	if top == bottom {
		top++
	}
	x := func(n float64) float64 {
		if last == first {
			return left + plotWidth/2
		}
		return left + plotWidth*(math.Log10(n)-math.Log10(first))/(math.Log10(last)-math.Log10(first))
	}
	y := func(v float64) float64 { return plotTop + plotHeight*(top-math.Log10(v))/(top-bottom) }
	fmt.Fprintf(b, `<text x="%.0f" y="24" font-weight="bold">%s</text>`+"\n", left, html.EscapeString(title))
	for decade := bottom; decade <= top; decade++ {
		v := math.Pow(10, decade)
		fmt.Fprintf(b, `<path d="M%.1f %.1fh%.1f" stroke="#ddd"/><text x="%.1f" y="%.1f" text-anchor="end">%g</text>`+"\n", left, y(v), plotWidth, left-6, y(v)+4, v)
	}
	for _, n := range r.Waits {
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle">%d waits</text>`+"\n", x(float64(n)), plotTop+plotHeight+20, n)
	}
	for i, style := range r.Styles {
		var points []string
		for _, n := range r.Waits {
			if s, ok := r.summary(style, n); ok && style != Floor && value(s) > 0 {
				points = append(points, fmt.Sprintf("%.1f,%.1f", x(float64(n)), y(value(s))))
				fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x(float64(n)), y(value(s)), color(i))
			}
		}
		if len(points) > 1 {
			fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), color(i))
		}
	}
}

func color(i int) string {
	colors := []string{"#000000", "#999999", "#e69f00", "#56b4e9", "#cc79a7", "#0072b2", "#f0e442", "#009e73"}
	return colors[i%len(colors)]
}
