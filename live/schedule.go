package live

import (
	"fmt"
	"strings"

	"github.com/go-co-op/gocron/v2"
)

// schedule starts the jobs that time drives: periods that begin, closed ones
// that are kept no longer, changes by other programs, and recomputation where a cron expression says when.
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
		// A commit after midnight begins the day; this is for when there is none.
		// Every minute, since in some zones there are days without a midnight.
		{"begin the day", gocron.CronJob("* * * * *", false), s.beginOverduePeriods},
	}
	if s.opts.Retention > 0 {
		// At an hour at which nobody looks, and neither a period ends nor clocks are changed.
		jobs = append(jobs, job{"prune closed periods", gocron.CronJob("40 4 * * *", false), s.archive.wakeToPrune})
	}
	if s.opts.CacheTTL > 0 {
		jobs = append(jobs, job{"look for changes by others", gocron.DurationJob(s.opts.CacheTTL), s.checkDatabase})
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

// CheckCron returns an error that says what is wrong with a cron expression:
// five fields, or six with seconds first, or a descriptor such as "@every 30s".
func CheckCron(expr string) error {
	scheduler, err := gocron.NewScheduler()
	if err != nil {
		return fmt.Errorf("check cron expression: %w", err)
	}
	defer func() { _ = scheduler.Shutdown() }() // it has not started
	if _, err = scheduler.NewJob(gocron.CronJob(expr, withSeconds(expr)), gocron.NewTask(func() {})); err != nil {
		// gocron's own words take several lines.
		return fmt.Errorf("%q is not a cron expression; give five fields such as */5 * * * *, six with seconds first, or @every 30s", expr)
	}
	return nil
}

func withSeconds(expr string) bool { return len(strings.Fields(expr)) == 6 }

// beginOverduePeriods has those periods begin that have, if nothing else did. A day begins with
// each of them.
func (s *Service) beginOverduePeriods() {
	s.clock.ahead(s.store.At())
	s.mu.RLock()
	begun := !s.opts.Now().Before(s.periods.ends[Daily])
	s.mu.RUnlock()
	if begun {
		s.logError("begin the day", s.store.Touch(s.ctx))
	}
}

// look has the store look for changes by other programs.
func (s *Service) checkDatabase() {
	s.mu.RLock()
	stale := s.stale
	s.mu.RUnlock()
	if stale && !s.byCron() { // the load has failed; any commit tries again
		s.logError("load the boards again", s.store.Touch(s.ctx))
		return
	}
	s.logError("look for changes by other programs", s.store.Check(s.ctx))
}

// logError logs the error, if it is one and not that of closing.
func (s *Service) logError(what string, err error) {
	if err != nil && s.ctx.Err() == nil {
		s.log.Error(what, "error", err)
	}
}
