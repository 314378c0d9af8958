// Package site serves pages that show the service's boards: the service's own page at a school
// where nobody studies just now, somebody's web site with the element, and a page of the bare
// client. It also holds what tests know of these pages, as conditions in JavaScript.
package site

import "fmt"

// What tests know of the service's own page. The rest of it can change.
const (
	Rows     = `document.querySelectorAll("tr[data-user-id]")`
	Live     = `document.querySelector("#status").dataset.status === "live" && ` + Rows + `.length > 0`
	BannerOn = `document.querySelector("#banner").classList.contains("shown")`
	NoticeOn = `!document.querySelector("#notice").hidden`
	DockOn   = `!document.querySelector("#me").hidden`
	Waiting  = `document.querySelector("#table").getAttribute("aria-busy") === "true"`
)

// Status is the condition that the page's status is that one.
func Status(status string) string {
	return fmt.Sprintf(`document.querySelector("#status").dataset.status === %q`, status)
}

// Row is the row of a user.
func Row(user string) string {
	return fmt.Sprintf(`document.querySelector('tr[data-user-id=%q]')`, user)
}

// Leads is the condition that a user's row is the first, with these points.
func Leads(user string, points int) string {
	return fmt.Sprintf(`(() => {
		const row = %s;
		return row !== null && Number(row.querySelector(".rank").textContent) === 1 && row.querySelector(".points").textContent.replace(/\D/g, "") === "%d";
	})()`, Row(user), points)
}

// What tests know of the element.
const (
	Element      = `document.querySelector("marcador-board")`
	Inside       = Element + `.shadowRoot`
	ElementRows  = Inside + `.querySelectorAll("tbody tr.row")`
	ElementText  = Inside + `.querySelector(".frame").innerText`
	ElementLive  = Element + `.snapshot?.status === "live" && ` + ElementRows + `.length > 0`
	ElementShown = `Boolean(` + Element + `?.shadowRoot)`
)

// What tests know of the page that the client alone makes.
const (
	ClientLive     = `board.getSnapshot().status === "live" && board.getSnapshot().version !== null`
	ClientStatuses = `statuses.join()` // all that there were so far
)

// ClientLeads is the condition that a user is first on the client's board, with these points.
func ClientLeads(user string, points int) string {
	return fmt.Sprintf(`board.getSnapshot().entries[0].userId === %q && board.getSnapshot().entries[0].score === %d`, user, points)
}
