package registry

import (
	"fmt"
	"strconv"
	"strings"
)

// countIndexes checks the text form of a set of completion indexes, "1,3-5,7",
// which must ascend and stay below completions, and returns its size.
func countIndexes(text string, completions int32) (count int, err error) {
	last := -1
	for part := range strings.SplitSeq(text, ",") {
		bounds := strings.Split(part, "-")
		if len(bounds) > 2 {
			return 0, fmt.Errorf("the fragment %q violates the requirement that an index interval can have at most two parts separated by '-'", part)
		}
		start := last
		for i, bound := range bounds {
			index, err := strconv.Atoi(bound)
			switch {
			case err != nil:
				return 0, fmt.Errorf("cannot convert string to integer for index: %q", bound)
			case index >= int(completions):
				return 0, fmt.Errorf("too large index: %q", bound)
			case last >= index:
				return 0, fmt.Errorf("non-increasing order, previous: %d, current: %d", last, index)
			case i == 0:
				start = index
			}
			last = index
		}
		count += last - start + 1
	}
	return count, nil
}
