package report

import (
	"encoding/xml"
	"fmt"
	"io"
)

// A suite is a testsuite of JUnit's XML, by the schema that Jenkins, GitLab and GitHub's
// actions read.
type suite struct {
	XMLName  xml.Name   `xml:"testsuite"`
	Name     string     `xml:"name,attr"`
	Tests    int        `xml:"tests,attr"`
	Failures int        `xml:"failures,attr"`
	Skipped  int        `xml:"skipped,attr"`
	Seconds  string     `xml:"time,attr"`
	Start    string     `xml:"timestamp,attr,omitempty"`
	Cases    []testCase `xml:"testcase"`
}

type testCase struct {
	Suite   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	Failure *failure `xml:"failure"`
	Skipped *failure `xml:"skipped"`
}

type failure struct {
	Message string `xml:"message,attr"`
}

// WriteJUnit writes the checks of the verdict and the thresholds as test cases, for
// programs that show those of a pipeline. Cases that an interrupted run had no time to
// measure are skipped.
func (r *Result) WriteJUnit(w io.Writer) error {
	s := suite{Name: "loadtest." + r.Summary.Scenario, Seconds: "0"}
	for _, c := range r.Summary.checks() {
		s.add("check", c.Name, c.Fault, false)
	}
	for _, t := range r.Summary.Thresholds {
		fault := ""
		if !t.Met {
			fault = t.String()
		}
		s.add("slo", t.Text, fault, t.Value == nil && r.Summary.Interrupted)
	}
	if r.end != nil {
		s.Seconds = fmt.Sprintf("%.3f", float64(r.end.AtMs)/1000)
	}
	if r.Run != nil {
		s.Start = r.Run.Start
	}
	text, err := xml.MarshalIndent(s, "", "  ")
	if err == nil {
		_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	}
	if err != nil {
		return fmt.Errorf("write JUnit report: %w", err)
	}
	return nil
}

func (s *suite) add(kind, name, fault string, skipped bool) {
	c := testCase{Suite: s.Name + "." + kind, Name: name}
	switch {
	case fault == "":
	case skipped:
		c.Skipped = &failure{fault}
		s.Skipped++
	default:
		c.Failure = &failure{fault}
		s.Failures++
	}
	s.Tests++
	s.Cases = append(s.Cases, c)
}
