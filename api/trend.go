package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"marcador/auth"
	"marcador/internal/membudget"
	"marcador/live"
	"marcador/store"
)

type trendInput struct {
	BoardPath

	Period string `query:"period" enum:"daily,weekly,monthly,all-time" default:"all-time" doc:"When points count"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"10" doc:"Number of users, the best at present"`
	Points int    `query:"points" minimum:"2" maximum:"31" default:"8" doc:"Number of moments at most; the last one is now"`
}

// trend has the ranks that the users who are best now had at moments in the past.
type trend struct {
	Type    string        `json:"type" doc:"Kind of the board"`
	Board   string        `json:"board"`
	Period  string        `json:"period" enum:"daily,weekly,monthly,all-time"`
	Times   []string      `json:"times" nullable:"false" doc:"The moments as date-time, oldest first: ends of days within the period, or ends of hours if it is daily; the last one is now"`
	Entries []trendSeries `json:"entries" nullable:"false" doc:"The best users at present, by their present rank"`
	Me      *trendSeries  `json:"me" doc:"The caller's own; null if the caller is not on the board"`
	Version int64         `json:"version" doc:"Sequence number of the last change that ordinary readers of the board can see"`
}

// trendSeries is one user's ranks and scores, in the order of trend.Times.
type trendSeries struct {
	UserID    string  `json:"userId"`
	Username  string  `json:"username"`
	RankBadge string  `json:"rankBadge" doc:"The present badge"`
	Ranks     []*int  `json:"ranks" nullable:"false" doc:"The rank at each of times; null if the user had no points in the period yet, or was too far behind for the rank to be known"`
	Scores    []int64 `json:"scores" nullable:"false" doc:"The points in the period until each of times"`
}

func (a *api) trendRoutes() {
	op := a.operation(http.MethodGet, "/v1/leaderboards/{board}/trend", "getTrend", "Boards", "The past ranks of the users who are best now", access{public: true})
	op.Description = membersOnly + " Members, names and visibility are as they are now. On a board with more than 500 users a past rank is only known for users who then had as many points " +
		"as the 500th has now, and it is inexact if points of somebody were taken away since."
	op.RejectUnknownQueryParameters = true
	answering[trend](a, &op, "OK")
	huma.Register(a.huma, op, a.trend)
	schemas := a.huma.OpenAPI().Components.Schemas
	orNull(schemas, "Trend", "me")
	schemas.Map()["TrendSeries"].Properties["ranks"].Items = &huma.Schema{Type: huma.TypeInteger, Nullable: true}
}

func (a *api) trend(ctx context.Context, in *trendInput) (*encodedOutput, error) {
	if _, err := a.admit(ctx, in.Board); err != nil {
		return nil, a.fail(ctx, err)
	}
	caller := callerOf(ctx)
	period, _ := store.ParsePeriod(in.Period) // huma has checked it
	data, size := in.size()
	made, err := a.acquire(ctx, membudget.QuerySlot, data, size)
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

// size returns how many bytes the answer takes at most, and the data that it is made from: the
// rivals at each moment.
func (in *trendInput) size() (data, size int) {
	const user, point, rivals, rival = 2 << 10, 32, 500, 150
	return in.Points * rivals * rival, (in.Limit + 1) * (user + in.Points*point)
}

func trendOf(in *trendInput, t *live.Trend) *trend {
	kind, _ := live.KindOf(in.Board)
	out := &trend{Type: kind, Board: in.Board, Period: in.Period, Entries: []trendSeries{}, Version: t.Version}
	for _, at := range t.Times {
		out.Times = append(out.Times, at.UTC().Format(live.TimeFormat))
	}
	for i := range t.Series {
		out.Entries = append(out.Entries, trendSeriesOf(&t.Series[i]))
	}
	if t.Me != nil {
		me := trendSeriesOf(t.Me)
		out.Me = &me
	}
	return out
}

func trendSeriesOf(l *live.TrendSeries) trendSeries {
	series := trendSeries{UserID: l.UserID, Username: l.Username, RankBadge: l.RankBadge, Scores: l.Scores}
	for _, rank := range l.Ranks {
		series.Ranks = append(series.Ranks, rankOrNull(rank))
	}
	return series
}
