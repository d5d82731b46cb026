package otelkontinue

import (
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/kontinue/kontinue"
)

// stateInstruments are those that are read when metrics are collected.
type stateInstruments struct {
	healthy                              metric.Int64ObservableGauge
	requestsOpen, requestsQueued         metric.Int64ObservableUpDownCounter
	logsOpen, logsQueued                 metric.Int64ObservableUpDownCounter
	watchesOpen, cacheObjects, cacheSize metric.Int64ObservableUpDownCounter
	watchesOpened                        metric.Int64ObservableCounter
	watchAge                             metric.Float64ObservableGauge
}

func (m *maker) observed(name, unit, text string) metric.Int64ObservableUpDownCounter {
	i, err := m.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(text))
	m.errs = append(m.errs, err)
	return i
}

func newStateInstruments(meter metric.Meter) (stateInstruments, error) {
	m := &maker{Meter: meter}
	s := stateInstruments{
		requestsOpen:   m.observed("kontinue.requests.open", "{request}", "Requests of steps that are open at the API server: see Config.MaxInFlight."),
		requestsQueued: m.observed("kontinue.requests.queued", "{request}", "Requests of steps that wait for one of these to end."),
		logsOpen:       m.observed("kontinue.logs.open", "{log}", "Logs that are followed: see Config.MaxLogStreams."),
		logsQueued:     m.observed("kontinue.logs.queued", "{log}", "Logs that wait for one of these to end."),
		watchesOpen:    m.observed("kontinue.watches.open", "{watch}", "Watches that are open."),
		cacheObjects:   m.observed("kontinue.cache.objects", "{object}", "Objects that the client holds in memory."),
		cacheSize:      m.observed("kontinue.cache.size", "By", "About how much these take."),
	}
	var err error
	s.watchesOpened, err = m.Int64ObservableCounter("kontinue.watches.opened", metric.WithUnit("{watch}"),
		metric.WithDescription("Watches that were opened: again after the API server has ended one, or it broke."))
	m.errs = append(m.errs, err)
	s.watchAge, err = m.Float64ObservableGauge("kontinue.watch.age", metric.WithUnit("s"),
		metric.WithDescription("Time since the last event or bookmark of the watch that has been silent longest."))
	m.errs = append(m.errs, err)
	s.healthy, err = m.Int64ObservableGauge("kontinue.client.healthy", metric.WithDescription(
		"1 while Client.Healthy returns nil, and otherwise 0."))
	m.errs = append(m.errs, err)
	return s, errors.Join(m.errs...)
}

func (s *stateInstruments) all() []metric.Observable {
	return []metric.Observable{
		s.healthy, s.requestsOpen, s.requestsQueued, s.logsOpen, s.logsQueued,
		s.watchesOpen, s.watchesOpened, s.watchAge, s.cacheObjects, s.cacheSize,
	}
}

// watches are those of one resource, in all namespaces.
type watches struct {
	open, opened int64
	heard        time.Time // of the one that has been silent longest; zero if that is not known
}

func watchesOf(stats kontinue.Stats) map[string]watches {
	all := map[string]watches{}
	for _, w := range stats.Watches {
		sum := all[w.Resource]
		if w.Open {
			sum.open++
		}
		sum.opened += int64(w.Opened)
		if !w.Heard.IsZero() && (sum.heard.IsZero() || w.Heard.Before(sum.heard)) {
			sum.heard = w.Heard
		}
		all[w.Resource] = sum
	}
	return all
}

func (s *stateInstruments) observe(t *Telemetry, client *kontinue.Client, o metric.Observer) {
	stats, healthy := client.Stats(), int64(0)
	if client.Healthy() == nil {
		healthy = 1
	}
	all := t.with()
	o.ObserveInt64(s.healthy, healthy, all)
	o.ObserveInt64(s.requestsOpen, int64(stats.RequestsOpen), all)
	o.ObserveInt64(s.requestsQueued, int64(stats.RequestsQueued), all)
	o.ObserveInt64(s.logsOpen, int64(stats.LogsOpen), all)
	o.ObserveInt64(s.logsQueued, int64(stats.LogsQueued), all)
	for resource, w := range watchesOf(stats) {
		labels := t.with(attribute.String(keyResource, resource))
		o.ObserveInt64(s.watchesOpen, w.open, labels)
		o.ObserveInt64(s.watchesOpened, w.opened, labels)
		if !w.heard.IsZero() {
			o.ObserveFloat64(s.watchAge, time.Since(w.heard).Seconds(), labels)
		}
	}
	for resource, held := range map[string][2]int{"jobs": {stats.Jobs, stats.JobBytes}, "pods": {stats.Pods, stats.PodBytes}} {
		labels := t.with(attribute.String(keyResource, resource))
		o.ObserveInt64(s.cacheObjects, int64(held[0]), labels)
		o.ObserveInt64(s.cacheSize, int64(held[1]), labels)
	}
}
