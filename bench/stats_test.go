package main

import "testing"

func TestQuantile(t *testing.T) {
	sorted := make([]int64, 100)
	for i := range sorted {
		sorted[i] = int64(i + 1)
	}
	for _, c := range []struct {
		values []int64
		q      float64
		want   int64
	}{
		{sorted, 0.5, 50},
		{sorted, 0.99, 99},
		{sorted, 1, 100},
		{sorted, 0, 1},
		{sorted[:1], 0.99, 1},
		{nil, 0.5, 0},
	} {
		if got := quantile(c.values, c.q); got != c.want {
			t.Errorf("quantile %v of %d values: got %d, want %d", c.q, len(c.values), got, c.want)
		}
	}
}

func TestSeries_median(t *testing.T) {
	s := series{}
	if got := s.median("none"); got != 0 {
		t.Errorf("of none: got %v, want 0", got)
	}
	for _, v := range []float64{9, 1, 2} {
		s.add("odd", v)
		s.add("even", v)
	}
	s.add("even", 3)
	if odd, even := s.median("odd"), s.median("even"); odd != 2 || even != 2.5 {
		t.Errorf("got %v and %v, want 2 and 2.5", odd, even)
	}
}

func TestSpread(t *testing.T) {
	for name, c := range map[string]struct {
		at   []int64
		most int
		mean float64
	}{
		"none":      {nil, 0, 0},
		"one":       {[]int64{70}, 1, 1},
		"even":      {[]int64{0, 10, 20, 30}, 1, 1},
		"at once":   {[]int64{5, 5, 5}, 3, 3},
		"with gaps": {[]int64{29, 0, 1, 2}, 3, 4.0 / 3},
	} {
		if most, mean := spread(c.at, 10); most != c.most || mean != c.mean {
			t.Errorf("%s: got %d and %v, want %d and %v", name, most, mean, c.most, c.mean)
		}
	}
}
