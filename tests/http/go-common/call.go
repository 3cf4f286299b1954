package common

import (
	"context"
	"time"

	"github.com/nexus-rpc/sdk-go/nexus"
)

// Call is what a client is to do: to start an operation, or what Do says with the one under Token.
type Call struct {
	Service   string `json:"service"`
	Operation string `json:"operation"`
	// Do is "cancel", or "info" or "result" with a peer that has them.
	Do    string `json:"do"`
	Token string `json:"token"`
	// TokenInPath is for a peer that can put it there.
	TokenInPath bool `json:"tokenInPath"`

	Input           Value        `json:"input"`
	Headers         nexus.Header `json:"headers"`
	RequestID       string       `json:"requestId"`
	CallbackURL     string       `json:"callbackUrl"`
	CallbackHeaders nexus.Header `json:"callbackHeaders"`
	Links           []Link       `json:"links"`
	TimeoutMillis   int64        `json:"timeoutMillis"`
}

// Fail is an error that a handler or a receiver is to answer with: of an operation with a State, else of a handler.
type Fail struct {
	State     string         `json:"state,omitempty"`
	Type      string         `json:"type,omitempty"`
	Message   string         `json:"message"`
	Retryable *bool          `json:"retryable,omitempty"`
	Cause     *nexus.Failure `json:"cause,omitempty"`
}

// RetryBehavior is that of a handler error.
func (f Fail) RetryBehavior() nexus.HandlerErrorRetryBehavior {
	switch {
	case f.Retryable == nil:
		return nexus.HandlerErrorRetryBehaviorUnspecified
	case *f.Retryable:
		return nexus.HandlerErrorRetryBehaviorRetryable
	default:
		return nexus.HandlerErrorRetryBehaviorNonRetryable
	}
}

// Answer is what came of a call or a delivery.
type Answer struct {
	Result *Received `json:"result,omitempty"`
	Token  string    `json:"token,omitempty"`
	Links  []Link    `json:"links,omitempty"`
	Error  *Error    `json:"error,omitempty"`
}

// Error is an error as the peer understood it. An OperationError has a State, a HandlerError a Type; others have neither.
type Error struct {
	State     string         `json:"state,omitempty"`
	Type      string         `json:"type,omitempty"`
	Text      string         `json:"text"`
	Retryable bool           `json:"retryable"`
	Failure   *nexus.Failure `json:"failure,omitempty"`
}

// Context has the timeout of the call.
func (c Call) Context() (context.Context, context.CancelFunc) {
	if c.TimeoutMillis == 0 {
		return context.WithCancel(context.Background())
	}
	return context.WithTimeout(context.Background(), time.Duration(c.TimeoutMillis)*time.Millisecond)
}

// Options are those of a start.
func (c Call) Options() (nexus.StartOperationOptions, error) {
	links, err := Links(c.Links)
	return nexus.StartOperationOptions{
		Header:         c.Headers,
		CallbackURL:    c.CallbackURL,
		CallbackHeader: c.CallbackHeaders,
		RequestID:      c.RequestID,
		Links:          links,
	}, err
}

// Started is the answer to a start, of which one of result and token is there.
func Started(result *nexus.LazyValue, token string, links []nexus.Link) (Answer, error) {
	answer := Answer{Token: token, Links: SeenLinks(links)}
	if result == nil {
		return answer, nil
	}
	var err error
	answer.Result, err = Receive(result.Reader)
	return answer, err
}
