package rank_test

import (
	"fmt"
	"testing"

	"marcador/rank"
)

func TestCounter(t *testing.T) {
	for _, c := range []struct {
		numbering rank.Numbering
		want      string
	}{
		{rank.Ordinal, "ordinal [1 2 3 4] 5 5"},
		{rank.Competition, "competition [1 2 2 4] 4 5"},
		{rank.Dense, "dense [1 2 2 3] 3 4"},
	} {
		count := rank.NewCounter(c.numbering)
		var ranks []int
		for _, score := range []int64{9, 7, 7, 5} {
			ranks = append(ranks, count.Next(score))
		}
		if got := fmt.Sprint(c.numbering, " ", ranks, " ", count.Would(5), " ", count.Would(1)); got != c.want || count.Len() != 4 {
			t.Errorf("got %s of %d, want %s", got, count.Len(), c.want)
		}
		if n, ok := rank.ParseNumbering(c.numbering.String()); n != c.numbering || !ok {
			t.Errorf("ParseNumbering(%s) = %v, %v", c.numbering, n, ok)
		}
	}
	if _, ok := rank.ParseNumbering("roman"); ok {
		t.Error("roman is a numbering")
	}
}
