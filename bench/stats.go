package main

import "slices"

// quantile returns the value that a share q of the sorted values does not exceed (the nearest
// rank), or 0 if there are no values.
func quantile[T ~int64 | ~float64](sorted []T, q float64) T {
	if len(sorted) == 0 {
		return 0
	}
	i := int(q*float64(len(sorted)) + 0.999999)
	return sorted[min(max(i-1, 0), len(sorted)-1)]
}

// median returns the middle value, or the mean of the two middle ones, or 0 if there are no values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// series has the values of each metric, one for each run.
type series map[string][]float64

func (s series) add(metric string, value float64) { s[metric] = append(s[metric], value) }

// has reports whether the metric has any value.
func (s series) has(metric string) bool { return len(s[metric]) > 0 }

func (s series) median(metric string) float64 { return median(s[metric]) }

// spread divides the time from the first to the last instant into slots, and returns how many
// instants the fullest slot has and how many a slot has on average. at and slot have the same unit.
func spread(at []int64, slot int64) (most int, mean float64) {
	if len(at) == 0 {
		return 0, 0
	}
	first, last := slices.Min(at), slices.Max(at)
	slots := make([]int, (last-first)/slot+1)
	for _, t := range at {
		slots[(t-first)/slot]++
	}
	return slices.Max(slots), float64(len(at)) / float64(len(slots))
}
