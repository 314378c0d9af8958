package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"marcador/auth"
	"marcador/live"
)

type trendInput struct {
	BoardPath

	Period string `query:"period" enum:"daily,weekly,monthly,all-time" default:"all-time" doc:"When points count"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"10" doc:"How many of the present best"`
	Points int    `query:"points" minimum:"2" maximum:"31" default:"8" doc:"How many moments at most, of which the last is now"`
}

// trend is where a board's present best stood at some moments.
type trend struct {
	Type    string      `json:"type" doc:"Kind of the board"`
	Board   string      `json:"board"`
	Period  string      `json:"period" enum:"daily,weekly,monthly,all-time"`
	Times   []string    `json:"times" nullable:"false" doc:"The moments as date-time, oldest first: ends of days, in daily of hours, within the period; the last is now"`
	Entries []trendLine `json:"entries" nullable:"false" doc:"The present best, by their present rank"`
	Me      *trendLine  `json:"me" doc:"The caller's own; null for who is not on the board"`
	Version int64       `json:"version" doc:"Sequence number of the last change that ordinary readers of the board can see"`
}

type trendLine struct {
	UserID    string  `json:"userId"`
	Username  string  `json:"username"`
	RankBadge string  `json:"rankBadge" doc:"The present one"`
	Ranks     []*int  `json:"ranks" nullable:"false" doc:"For each of times; null where there were no points in the period yet, or the rank is too far behind to be known"`
	Scores    []int64 `json:"scores" nullable:"false" doc:"For each of times: the points in the period until then"`
}

func (a *api) trendRoutes() {
	op := a.operation(http.MethodGet, "/v1/leaderboards/{board}/trend", "getTrend", "Boards", "Where a board's present best stood before", access{public: true})
	op.Description = membersOnly + " Who is there, who is seen and what they are called is as of now. Of a long board a past rank is known " +
		"from as many points on as the 500th has now, and not quite exact where somebody's points were taken away since."
	op.RejectUnknownQueryParameters = true
	answering[trend](a, &op, "OK")
	huma.Register(a.huma, op, a.trend)
	schemas := a.huma.OpenAPI().Components.Schemas
	orNull(schemas, "Trend", "me")
	schemas.Map()["TrendLine"].Properties["ranks"].Items = &huma.Schema{Type: huma.TypeInteger, Nullable: true}
}

func (a *api) trend(ctx context.Context, in *trendInput) (*encodedOutput, error) {
	if _, err := a.admit(ctx, in.Board); err != nil {
		return nil, a.fail(ctx, err)
	}
	caller := callerOf(ctx)
	period, _ := live.ParsePeriod(in.Period) // huma has checked it
	of, size := in.size()
	made, err := a.begin(ctx, past, of, size)
	if err != nil {
		return nil, err
	}
	size = 0
	defer func() { made(size) }()
	t, err := a.Live.Trend(ctx, live.TrendQuery{
		Board: in.Board, Period: period, Limit: in.Limit, Points: in.Points,
		Caller: caller.UserID, All: caller.May(auth.ScopeAdmin),
	})
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	out, err := encode(trendOf(in, &t))
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	size = len(out.Body)
	return out, nil
}

// size is how many bytes the answer takes at most, and what it is made of: rivals at each moment.
func (in *trendInput) size() (of, size int) {
	const line, point, rivals, rival = 2 << 10, 32, 500, 150
	return in.Points * rivals * rival, (in.Limit + 1) * (line + in.Points*point)
}

func trendOf(in *trendInput, t *live.Trend) *trend {
	kind, _ := live.KindOf(in.Board)
	out := &trend{Type: kind, Board: in.Board, Period: in.Period, Entries: []trendLine{}, Version: t.Version}
	for _, at := range t.Times {
		out.Times = append(out.Times, at.UTC().Format(live.TimeFormat))
	}
	for i := range t.Series {
		out.Entries = append(out.Entries, trendLineOf(&t.Series[i]))
	}
	if t.Me != nil {
		me := trendLineOf(t.Me)
		out.Me = &me
	}
	return out
}

func trendLineOf(l *live.TrendSeries) trendLine {
	line := trendLine{UserID: l.UserID, Username: l.Username, RankBadge: l.RankBadge, Scores: l.Scores}
	for _, rank := range l.Ranks {
		if rank == 0 {
			line.Ranks = append(line.Ranks, nil)
		} else {
			line.Ranks = append(line.Ranks, &rank)
		}
	}
	return line
}
