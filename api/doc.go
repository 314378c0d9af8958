// Package api serves everything over HTTP: the API under /v1 with its event stream, the OpenAPI
// document and /docs, the health checks, and the web page. [New] returns it as one http.Handler.
//
// A request passes through these functions, in this order:
//
//	serve            turns a panic below into a 500 that is logged
//	  reserve        reserves memory for the request, on the account of its address
//	  setDeadlines   limits how long the body may take to arrive, and the answer to be read
//	  setSafe        sets the headers that every answer has
//	  preflighted    answers a browser that asks whether another site's page may call
//	  cleaned        redirects a path with empty or dot segments
//	  ServeMux       finds the operation; notFound answers if there is none
//
//	  negotiate      chooses JSON or MessagePack
//	  authorize      verifies the token and finds out whether the caller may do this;
//	                 moves the reservation to the caller's account
//	  limitWrites    refuses a write if the caller writes too fast (--write-rate)
//	  limitRequest   limits how long it may take to answer, and the memory of the body
//	  bodyChecker    compares the body with its schema, token by token, and decodes it
//	  Resolve        brings ids and names into their canonical form, and collects every fault
//	  the handler    calls live.Service; acquire waits for memory before a large answer is made
//	  fail           turns an error of live, sse or auth into a problem (RFC 9457)
//
//	  answerWriter   writes the answer in pieces, so that a client that stops reading is noticed
//
// Steps of the second block belong to an operation: they are middleware of huma, which also reads
// parameters, and describes the operation in the OpenAPI document. The operations are registered in
// one file for each subject: points.go, users.go, page.go, archive.go, events.go, and so on.
//
// The handler of a stream gives it to an sse.Server. The stream then runs in serve after all of the
// above has returned, so that a stream that lasts for hours uses little memory.
//
// All errors that a caller may see are made in problem.go and failure.go. Their codes are part of
// the public contract; their texts say what is wrong and what to do.
package api
