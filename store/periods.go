package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"
)

// rebuildPeriods computes the periods in totals from the ledger. O(rows of the ledger).
func (w *writer) rebuildPeriods(ctx context.Context) error {
	stmt, err := w.conn.PrepareContext(ctx, `
		UPDATE totals SET day = ?, day_xp = ?, day_reached = ?, prior_day = ?, prior_day_xp = ?,
		       week = ?, week_xp = ?, week_reached = ?, prior_week = ?, prior_week_xp = ?,
		       month = ?, month_xp = ?, month_reached = ?, prior_month = ?, prior_month_xp = ?
		WHERE user = ?`)
	if err != nil {
		return fmt.Errorf("save periods: %w", err)
	}
	defer func() { _ = stmt.Close() }() // it is not used after an error
	of := totalsRow{}
	err = w.s.each(ctx, func(row []driver.Value) error {
		user, xp, seq, at := uint32(number(row[0])), number(row[1]), number(row[2]), number(row[3])
		if user != of.user {
			if err := of.savePeriods(ctx, stmt); err != nil {
				return err
			}
			of = totalsRow{user: user}
		}
		now := time.UnixMilli(at).In(w.s.opts.Location)
		for i := range of.periods {
			of.periods[i].add(Period(i).Start(now).UnixMilli(), xp, of.reached)
		}
		of.reached = seq
		return nil
	}, `SELECT user, xp, seq, at FROM ledger WHERE xp <> 0 ORDER BY user, seq`)
	if err != nil {
		return err
	}
	return of.savePeriods(ctx, stmt)
}

// savePeriods saves the periods of a user. It does nothing for user 0, before the first user.
func (of *totalsRow) savePeriods(ctx context.Context, stmt *sql.Stmt) error {
	if of.user == 0 {
		return nil
	}
	day, week, month := &of.periods[Daily], &of.periods[Weekly], &of.periods[Monthly]
	_, err := stmt.ExecContext(ctx,
		day.Start, day.XP, day.Reached, day.PriorStart, day.PriorXP,
		week.Start, week.XP, week.Reached, week.PriorStart, week.PriorXP,
		month.Start, month.XP, month.Reached, month.PriorStart, month.PriorXP, of.user)
	if err != nil {
		return fmt.Errorf("save periods: %w", err)
	}
	return nil
}
