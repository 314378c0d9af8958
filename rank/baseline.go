package rank

// Before returns the user's rank at the baseline, or 0 if the user was not on the board then. O(1).
func (b *Board) Before(user uint32) int { return int(b.baseline.get(user)) }

// Rebase makes the present ranks the baseline. O(n); a sparse board takes about ten times as long
// as another one.
func (b *Board) Rebase() {
	b.baseline.reset(len(b.index.blockOf.dense))
	c := Counter{numbering: b.numbering}
	for keys, users := range b.index.from(1) {
		for i, user := range users {
			b.baseline.set(user, uint32(c.Next(keys[i].score)))
		}
	}
}

// StartOver makes the present ranks the baseline and then removes everybody from the board, hidden
// users too. It is for the start of a new period. O(n), as Rebase.
func (b *Board) StartOver() {
	b.Rebase()
	clear(b.hidden)
	b.index.Load(nil)
	b.loadScores()
}

// RankThen returns the rank that the user had at an earlier moment. then has the items that were
// different at that moment. Users who have left the order since are ignored.
//
// RankThen returns 0 if the user is not on the board, and always with Dense, where the answer would
// need a look at every user. O(len(then) + log n).
func (b *Board) RankThen(user uint32, then map[uint32]Item) int {
	now, ok := b.Item(user)
	if !ok || b.numbering == Dense {
		return 0
	}
	old, moved := then[user]
	if !moved {
		old = now
	}
	rank := b.rank(old)
	if b.ahead(now, old) && !b.Hidden(user) {
		rank-- // the index counts the user's own item of now
	}
	for other, oldItem := range then {
		nowItem, ok := b.index.get(other)
		if !ok || other == user {
			continue
		}
		if b.ahead(nowItem, old) {
			rank--
		}
		if b.ahead(oldItem, old) {
			rank++
		}
	}
	return rank
}

// loadBaseline makes the ranks of the items the baseline, and sorts them. O(n log n).
func (b *Board) loadBaseline(items []Item) {
	sortItems(items, b.index.before)
	b.baseline.reset(end(items))
	c := Counter{numbering: b.numbering}
	for _, it := range items {
		b.baseline.set(it.User, uint32(c.Next(it.Score)))
	}
}

// leaveBaseline takes the user out of the baseline. The users behind move up, unless the numbering
// is dense and another user has the same rank. O(n).
func (b *Board) leaveBaseline(user uint32) {
	rank := b.baseline.get(user)
	if rank == 0 {
		return
	}
	b.baseline.set(user, 0)
	if b.numbering != Dense || !b.baseline.contains(rank) {
		b.baseline.lower(rank)
	}
}
