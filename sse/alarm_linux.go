package sse

import (
	"container/heap"
	"math"
	"time"
)

// alarms are a shard's streams by when each needs something next. A stream that
// is written to needs its ping later: its alarm is left as it is, and put off
// when it rings, so that a delivery costs none of this.
type alarms []*raw

// next is when the first one rings, on the server's clock.
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

// delay has it ring later.
func (a *alarms) delay(st *raw, at time.Duration) {
	st.alarmAt = at
	heap.Fix(a, st.alarmIndex)
}

// hurry has it ring at that time, if that is sooner.
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
	st := x.(*raw) //nolint:errcheck // add alone pushes
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
