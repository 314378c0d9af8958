package sse

import (
	"container/heap"
	"math"
	"time"
)

// alarms is a heap of a shard's streams, ordered by when each needs something next. A write puts
// off a stream's ping, but leaves the stream's alarm as it is. The alarm is put off when it rings.
// So a delivery costs nothing here.
type alarms []*raw

// next returns when the first alarm rings, on the server's clock.
func (a *alarms) next() time.Duration {
	if len(*a) == 0 {
		return math.MaxInt64 / 2
	}
	return (*a)[0].alarmAt
}

func (a *alarms) first() *raw { return (*a)[0] }

func (a *alarms) add(st *raw, at time.Duration) {
	st.alarmAt = at
	heap.Push(a, st)
}

func (a *alarms) remove(st *raw) { heap.Remove(a, st.alarmIndex) }

// delay has the stream's alarm ring at a later time.
func (a *alarms) delay(st *raw, at time.Duration) {
	st.alarmAt = at
	heap.Fix(a, st.alarmIndex)
}

// hurry has the stream's alarm ring at that time, unless it rings sooner anyway.
func (a *alarms) hurry(st *raw, at time.Duration) {
	if at < st.alarmAt {
		a.delay(st, at)
	}
}

// Len implements heap.Interface.
func (a *alarms) Len() int { return len(*a) }

// Less implements heap.Interface.
func (a *alarms) Less(i, j int) bool { return (*a)[i].alarmAt < (*a)[j].alarmAt }

// Swap implements heap.Interface.
func (a *alarms) Swap(i, j int) {
	s := *a
	s[i], s[j] = s[j], s[i]
	s[i].alarmIndex, s[j].alarmIndex = i, j
}

// Push implements heap.Interface.
func (a *alarms) Push(x any) {
	st := x.(*raw) //nolint:errcheck // only add pushes
	st.alarmIndex = len(*a)
	*a = append(*a, st)
}

// Pop implements heap.Interface.
func (a *alarms) Pop() any {
	s := *a
	st := s[len(s)-1]
	s[len(s)-1] = nil
	*a = s[:len(s)-1]
	return st
}
