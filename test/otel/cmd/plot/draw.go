package main

import (
	"fmt"
	"strings"
)

const (
	width, left    = 760.0, 60.0
	top, height    = 40.0, 180.0
	gap            = 70.0
	lowerTop       = top + height + gap
	totalW, totalH = left + width + 140, lowerTop + height + 40
	window         = 10 // samples of a quantile
)

// draw writes two panels over time as SVG.
func draw(samples []sample) string {
	end := samples[len(samples)-1].at.Seconds()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" font-family="sans-serif" font-size="12">`+"\n", totalW, totalH)
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" fill="white"/>`+"\n", totalW, totalH)
	counts := panel{b: &b, top: top, end: end, title: "steps", high: float64(steps)}
	for _, s := range samples {
		counts.high = max(counts.high, s.active)
	}
	counts.axes()
	counts.line("#0072b2", "active", samples, func(i int) (float64, bool) { return samples[i].active, true })
	counts.line("#e69f00", "waiting for room", samples, func(i int) (float64, bool) { return samples[i].queued, true })
	counts.line("#009e73", "admitted", samples, func(i int) (float64, bool) { return samples[i].active - samples[i].queued, true })
	counts.line("#999999", "ended", samples, func(i int) (float64, bool) { return samples[i].ended, true })

	latency := panel{b: &b, top: lowerTop, end: end, title: "detection in seconds (by the cluster's clocks, of the last 5 s)", high: 2}
	latency.axes()
	for _, q := range []struct {
		of          float64
		color, name string
	}{{0.5, "#0072b2", "median"}, {0.99, "#d55e00", "99 %"}} {
		latency.line(q.color, q.name, samples, func(i int) (float64, bool) {
			return quantile(q.of, samples[max(0, i-window)].detection, samples[i].detection)
		})
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// panel is a plot with linear axes that begin at 0.
type panel struct {
	b         *strings.Builder
	top       float64
	end, high float64
	title     string
	lines     int
}

func (p *panel) x(seconds float64) float64 { return left + width*seconds/p.end }
func (p *panel) y(value float64) float64   { return p.top + height*(1-min(value/p.high, 1)) }

func (p *panel) axes() {
	fmt.Fprintf(p.b, `<text x="%.0f" y="%.0f" font-weight="bold">%s</text>`+"\n", left, p.top-14, p.title)
	for i := range 5 {
		v := p.high * float64(i) / 4
		fmt.Fprintf(p.b, `<path d="M%.1f %.1fh%.1f" stroke="#ddd"/><text x="%.1f" y="%.1f" text-anchor="end">%.4g</text>`+"\n", left, p.y(v), width, left-6, p.y(v)+4, v)
	}
	for at := 0.0; at <= p.end; at += 10 {
		fmt.Fprintf(p.b, `<text x="%.1f" y="%.1f" text-anchor="middle">%.0f s</text>`+"\n", p.x(at), p.top+height+18, at)
	}
}

// line draws a value of each sample, and leaves out those that have none.
func (p *panel) line(color, name string, samples []sample, value func(i int) (float64, bool)) {
	var points []string
	for i, s := range samples {
		if v, ok := value(i); ok {
			points = append(points, fmt.Sprintf("%.1f,%.1f", p.x(s.at.Seconds()), p.y(v)))
		}
	}
	fmt.Fprintf(p.b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), color)
	y := p.top + 10 + 22*float64(p.lines)
	fmt.Fprintf(p.b, `<rect x="%.0f" y="%.0f" width="12" height="12" fill="%s"/><text x="%.0f" y="%.0f">%s</text>`+"\n", left+width+14, y, color, left+width+32, y+10, name)
	p.lines++
}
