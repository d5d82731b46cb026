package controller

import (
	"slices"
	"strconv"
	"strings"
)

// indexSet is a set of completion indexes of an Indexed Job.
type indexSet map[int]struct{}

func (s indexSet) add(i int)      { s[i] = struct{}{} }
func (s indexSet) has(i int) bool { _, ok := s[i]; return ok }

// parseIndexes reads the form of status.completedIndexes, "1,3-5,7". Indexes
// from completions on and broken parts are left out.
func parseIndexes(text string, completions int) indexSet {
	set := indexSet{}
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		if err != nil {
			continue
		}
		last := first
		if isRange {
			if last, err = strconv.Atoi(to); err != nil {
				continue
			}
		}
		for i := first; i <= last && i < completions; i++ {
			set.add(i)
		}
	}
	return set
}

// String writes the form of status.completedIndexes: runs of three and more as
// "first-last", the rest one by one.
func (s indexSet) String() string {
	sorted := make([]int, 0, len(s))
	for i := range s {
		sorted = append(sorted, i)
	}
	slices.Sort(sorted)
	var parts []string
	for at := 0; at < len(sorted); {
		end := at
		for end+1 < len(sorted) && sorted[end+1] == sorted[end]+1 {
			end++
		}
		first := strconv.Itoa(sorted[at])
		switch last := strconv.Itoa(sorted[end]); {
		case end == at:
			parts = append(parts, first)
		case end == at+1:
			parts = append(parts, first, last)
		default:
			parts = append(parts, first+"-"+last)
		}
		at = end + 1
	}
	return strings.Join(parts, ",")
}
