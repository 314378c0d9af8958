// Package sse sends the newest states of topics to any number of clients as Server-Sent Events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html). It knows nothing of
// leaderboards.
//
// # State, not a log
//
// A stream carries state. A subscriber remembers which state of each topic its client was sent
// last. As soon as the client can take more, it gets the newest state, or the difference between
// the two. There is no queue: nothing grows, nothing is dropped, and no client waits for another.
// Clients that read slowly skip states.
//
//	Publish ──▶ topic: newest state ──wakes──▶ subscriber: state last sent
//	                                               │ frame from that state to the newest
//	                                               ▼
//	                                           transport ──▶ socket
//
// # Hub, topic, state
//
// A [Hub] is a set of topics that a stream may follow together. A [Topic] has a newest [State]:
// a [Content] under a version. [Hub.Publish] changes the states of several topics at one moment
// and wakes the subscribers that follow them. It waits for none of them. A stream may begin with a
// state that was never published; [Topic.Retain] makes such a state known to the topic.
//
// # Server, stream, subscriber
//
// A [Server] answers a request with a [Stream], which lists the topics to follow. Inside the
// server, a subscriber is one client's stream: it knows what the client was sent, and decides what
// to send next. Each [Follow] may have an [Own], which makes the events that this client alone
// gets. A publication gives every Own the same notes.
//
// A stream begins with the event `authenticated`. The contents name the events that follow. The
// server adds `ping` after a silence, `error` with one of the codes forbidden, token_expired and
// replaced, and `goodbye` when it shuts down.
//
// [Server.Renew] applies a fresh token to a running stream. [Server.EndSession] ends the streams of
// somebody who signed out. [Server.Drain] ends all streams and spreads the clients' return.
//
// # Frames and formats
//
// A frame is an encoded event. The frame that leads from one state to another is made when the
// first client needs it, and all clients with the same [Format] share its bytes. A format combines
// three flags: [Diff] for differences instead of whole states, [MsgPack] for MessagePack instead of
// JSON, and [Gzip] for a compressed stream. Compression, too, is done once for all clients.
//
// # Two transports
//
// The raw transport takes a connection over from net/http. One goroutine per CPU core writes to
// the sockets of all its streams, and an idle stream costs a descriptor and less than a kilobyte.
// It needs Linux, HTTP/1 and a bare TCP connection, and an http.Server whose ConnContext is
// [ConnContext]. The standard transport writes through net/http, in the goroutine of the request.
// It serves everything else: TLS, HTTP/2 and other systems. The behaviour of a stream is the same
// on both.
//
// # Resuming
//
// The id of an event says what its client holds of all topics of the stream. A browser sends the
// last id when it reconnects. [Hub.Resume] reads it, and the stream goes on from there. The server
// remembers nothing about clients that have gone. An id that this process did not give to the same
// scope leads to whole states.
//
// # Bounds
//
// [Options] bounds the number of streams: in all, per user, without a user, and without a user per
// address. A topic retains at most 64 published states, and 64 that streams have only begun with. A
// client that does not take its bytes within WriteTimeout is cut off.
package sse
