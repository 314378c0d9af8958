package command

import (
	"fmt"
	"log/slog"
	"time"

	"marcador/live"
	"marcador/rank"
	"marcador/store"
)

// boardFlags say when boards are recomputed and how they are sent. serve and demo share them.
type boardFlags struct {
	Recompute    string        `default:"write" help:"When boards change: 'write', with every write; or a cron expression, only at its times."`
	CacheTTL     time.Duration `default:"60s" name:"cache-ttl" help:"Longest time that an encoded page is cached. Changes that other programs make to the database show after this time."`
	Top          int           `default:"100" help:"Rows in a broadcast, 1 to 1000."`
	Heartbeat    time.Duration `default:"15s" help:"Longest silence on a stream, at most 30s."`
	WriteTimeout time.Duration `default:"5s" help:"Longest time that one write to a client may take. A slower client is disconnected."`

	MaxStreams        int `default:"50000" help:"Most streams at once. More get a 503. At most half of them may have no token, and at most a tenth of them may come without a token from one address."`
	MaxStreamsPerUser int `default:"8" help:"Most streams that one user may have at once. One more ends the user's oldest."`

	Timezone       string `default:"UTC" help:"Time zone in which days, weeks and months begin: an IANA name such as America/Merida."`
	ChangeBaseline string `default:"daily" enum:"daily,weekly,monthly" help:"On the all-time board, compare a user's rank with the rank at the start of this period: ${enum}."`
	Ranks          string `default:"ordinal" enum:"ordinal,competition,dense" help:"How equal scores are ranked: 'ordinal' 1 2 3 4, 'competition' 1 2 2 4, 'dense' 1 2 2 3."`
	Friends        string `default:"mutual" enum:"mutual,group,open" help:"When two users are friends: 'mutual', when both have asked; 'group', when one has, and both are in one group; 'open', when one has."`
	Retention      int    `default:"400" help:"Days that closed periods are kept. 0 is for ever."`
}

const (
	day          = 24 * time.Hour
	maxRetention = 36_500 // days

	// minCacheTTL bounds how often the service asks the database whether another program has
	// changed it.
	minCacheTTL = 10 * time.Millisecond

	// maxHeartbeat is below the silence after which clients give a stream up. The browser client
	// waits 40 s.
	maxHeartbeat = 30 * time.Second
)

// liveOptions checks the flags and turns them into options.
func (f boardFlags) liveOptions(throttle time.Duration, log *slog.Logger) (live.Options, error) {
	opts := live.Options{Throttle: throttle, CacheTTL: f.CacheTTL, Top: f.Top, Log: log, Retention: time.Duration(f.Retention) * day}
	opts.Baseline, _ = store.ParsePeriod(f.ChangeBaseline) // kong has checked these three
	opts.Ranks, _ = rank.ParseNumbering(f.Ranks)
	opts.Friends, _ = store.ParseFriendsRule(f.Friends)
	if err := f.checkDurations(throttle); err != nil {
		return opts, err
	}
	if err := f.checkNumbers(); err != nil {
		return opts, err
	}
	if throttle == 0 {
		opts.Throttle = -1 // 0 would be the default
	}
	if f.CacheTTL == 0 {
		opts.CacheTTL = -1
	}
	var err error
	if opts.Location, err = time.LoadLocation(f.Timezone); err != nil {
		return opts, fmt.Errorf("--timezone %q is not known; give an IANA name such as America/Merida or UTC", f.Timezone)
	}
	if f.Recompute != "write" {
		if err := live.CheckCron(f.Recompute); err != nil {
			return opts, fmt.Errorf("--recompute: %w; or write, to change boards with every write", err)
		}
		opts.Recompute = f.Recompute
	}
	return opts, nil
}

func (f boardFlags) checkDurations(throttle time.Duration) error {
	for _, d := range []struct {
		flag  string
		value time.Duration
		least time.Duration
	}{
		{"--throttle", throttle, 0},
		{"--cache-ttl", f.CacheTTL, 0},
		{"--heartbeat", f.Heartbeat, time.Millisecond},
		{"--write-timeout", f.WriteTimeout, time.Millisecond},
	} {
		if d.value < d.least {
			return fmt.Errorf("%s %s is too short; give %s or more", d.flag, d.value, d.least)
		}
	}
	if f.CacheTTL > 0 && f.CacheTTL < minCacheTTL {
		return fmt.Errorf("--cache-ttl %s is too short; give %s or more, or 0 to cache nothing", f.CacheTTL, minCacheTTL)
	}
	if f.Heartbeat > maxHeartbeat {
		return fmt.Errorf("--heartbeat %s is too long; give %s or less, because browsers give up a stream that is silent", f.Heartbeat, maxHeartbeat)
	}
	return nil
}

func (f boardFlags) checkNumbers() error {
	if f.Retention < 0 || f.Retention > maxRetention {
		return fmt.Errorf("--retention %d is not from 0 to %d days; 0 keeps closed periods for ever", f.Retention, maxRetention)
	}
	if f.MaxStreams < 1 || f.MaxStreamsPerUser < 1 {
		return fmt.Errorf("--max-streams %d and --max-streams-per-user %d must be 1 or more", f.MaxStreams, f.MaxStreamsPerUser)
	}
	if f.Top < 1 || f.Top > 1000 {
		return fmt.Errorf("--top %d is not from 1 to 1000", f.Top)
	}
	return nil
}
