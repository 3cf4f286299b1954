package common

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/nexus-rpc/sdk-go/nexus"
)

// Completion is one that a sender is to deliver: Result, unless there is an Error.
type Completion struct {
	URL       string       `json:"url"`
	Headers   nexus.Header `json:"headers"`
	Token     string       `json:"token"`
	StartTime time.Time    `json:"startTime"`
	CloseTime time.Time    `json:"closeTime"`
	Links     []Link       `json:"links"`
	Result    Value        `json:"result"`
	Error     *Fail        `json:"error"`
}

// Completed is what a receiver says of every completion.
type Completed struct {
	Path      string       `json:"path"`
	Headers   nexus.Header `json:"headers"`
	State     string       `json:"state"`
	Token     string       `json:"token"`
	StartTime time.Time    `json:"startTime"`
	CloseTime time.Time    `json:"closeTime"`
	Links     []Link       `json:"links"`
	Result    *Received    `json:"result,omitempty"`
	Error     *Error       `json:"error,omitempty"`
}

// FromRequest fills in what all versions read alike.
func (c *Completed) FromRequest(request *http.Request, result *nexus.LazyValue) error {
	c.Path = request.URL.RequestURI()
	c.Headers = nexus.Header{}
	for name := range request.Header {
		c.Headers[strings.ToLower(name)] = request.Header.Get(name)
	}
	if result == nil {
		return nil
	}
	var err error
	c.Result, err = Receive(result.Reader)
	return err
}

// Refusal is the error that the completion asks for in its header "fail".
func Refusal(request *http.Request) (*Fail, error) {
	asked := request.Header.Get("fail")
	if asked == "" {
		return nil, nil
	}
	var fail Fail
	return &fail, json.Unmarshal([]byte(asked), &fail)
}
