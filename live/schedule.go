package live

import (
	"fmt"
	"strings"

	"github.com/go-co-op/gocron/v2"

	"marcador/store"
)

// schedule starts the jobs that run by the clock.
func (s *Service) schedule() error {
	scheduler, err := gocron.NewScheduler(gocron.WithLocation(s.opts.Location))
	if err != nil {
		return fmt.Errorf("start scheduler: %w", err)
	}
	s.scheduler = scheduler
	type job struct {
		name string
		when gocron.JobDefinition
		what func()
	}
	jobs := []job{
		// The first commit after midnight begins the day. This job does it if nothing is written.
		// It runs every minute, since in some time zones there are days without a midnight.
		{"begin the day", gocron.CronJob("* * * * *", false), s.beginOverduePeriods},
	}
	if s.opts.Retention > 0 {
		// At this hour few people use the service, no period ends, and no clock changes.
		jobs = append(jobs, job{"prune closed periods", gocron.CronJob("40 4 * * *", false), s.archive.wakeToPrune})
	}
	if s.opts.CacheTTL > 0 {
		jobs = append(jobs, job{"look for changes by other programs", gocron.DurationJob(s.opts.CacheTTL), s.checkDatabase})
	}
	if expr := s.opts.Recompute; expr != "" {
		jobs = append(jobs, job{"recompute", gocron.CronJob(expr, withSeconds(expr)), s.recompute})
	}
	for _, j := range jobs {
		_, err := scheduler.NewJob(j.when, gocron.NewTask(j.what), gocron.WithName(j.name),
			gocron.WithSingletonMode(gocron.LimitModeReschedule))
		if err != nil {
			return fmt.Errorf("schedule %q: %w", j.name, err)
		}
	}
	scheduler.Start()
	return nil
}

// CheckCron returns nil for a valid cron expression, and otherwise an error that tells a user what
// to write. An expression has five fields, or six with the seconds first, or is a descriptor such
// as "@every 30s".
func CheckCron(expr string) error {
	scheduler, err := gocron.NewScheduler()
	if err != nil {
		return fmt.Errorf("check cron expression: %w", err)
	}
	defer func() { _ = scheduler.Shutdown() }() // it was never started, so this can't fail
	if _, err = scheduler.NewJob(gocron.CronJob(expr, withSeconds(expr)), gocron.NewTask(func() {})); err != nil {
		// The error of gocron is several lines long.
		return fmt.Errorf("%q is not a cron expression; give five fields such as */5 * * * *, six with seconds first, or @every 30s", expr)
	}
	return nil
}

func withSeconds(expr string) bool { return len(strings.Fields(expr)) == 6 }

// beginOverduePeriods begins the periods that should have begun, if no commit has begun them yet.
// It does not look at weeks and months: each of them begins together with a day.
func (s *Service) beginOverduePeriods() {
	s.clock.ahead(s.store.At())
	s.mu.RLock()
	overdue := !s.opts.Now().Before(s.periods.ends[store.Daily])
	s.mu.RUnlock()
	if overdue {
		s.logError("begin the day", s.store.Touch(s.ctx))
	}
}

// checkDatabase looks for changes by other programs. If an earlier load failed, it starts another.
func (s *Service) checkDatabase() {
	s.mu.RLock()
	stale := s.stale
	s.mu.RUnlock()
	if stale && !s.byCron() {
		s.logError("load the boards again", s.store.Touch(s.ctx)) // any commit loads them
		return
	}
	s.logError("look for changes by other programs", s.store.Check(s.ctx))
}

// logError logs the error, if there is one. While the service closes, it logs nothing: errors are
// then expected.
func (s *Service) logError(what string, err error) {
	if err != nil && s.ctx.Err() == nil {
		s.log.Error(what, "error", err)
	}
}
