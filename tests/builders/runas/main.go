// Command runas says who a container would run as, by the code that Docker and containerd themselves run.
//
// Standard input holds one JSON object a line: {"spec": config.User, "root": a root file system's folder}. For each
// there is one line on standard output: {"docker": answer, "containerd": answer, "cri": answer}, an answer being
// {"uid", "gid", "groups"} or {"error"}. "containerd" is what `ctr run` asks for, "cri" what a kubelet's containers get.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/containerd/continuity/fs"
	"github.com/moby/sys/user"
	"github.com/opencontainers/runtime-spec/specs-go"
)

type question struct {
	Spec string `json:"spec"`
	Root string `json:"root"`
}

type answer struct {
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups"`
	Error  string   `json:"error,omitempty"`
}

type answers struct {
	Docker     answer `json:"docker"`
	Containerd answer `json:"containerd"`
	CRI        answer `json:"cri"`
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<22)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var asked question
		if err := json.Unmarshal(in.Bytes(), &asked); err != nil {
			fmt.Fprintln(os.Stderr, "runas:", err)
			os.Exit(1)
		}
		if err := out.Encode(answersTo(asked)); err != nil {
			fmt.Fprintln(os.Stderr, "runas:", err)
			os.Exit(1)
		}
	}
}

func answersTo(asked question) answers {
	return answers{
		Docker: docker(asked),
		Containerd: containerd(asked, func(uid uint32) string {
			if asked.Spec == "" {
				return "root"
			}
			return strconv.FormatUint(uint64(uid), 10)
		}),
		CRI: containerd(asked, func(uint32) string {
			name, _, _ := strings.Cut(asked.Spec, ":")
			if asked.Spec == "" {
				return "0"
			}
			return name
		}),
	}
}

// docker does what the daemon's getUser does: 64 bits are cut to 32, and the primary group is one of the groups.
func docker(asked question) answer {
	found, err := user.GetExecUserPath(asked.Spec, nil, inside(asked.Root, "etc/passwd"), inside(asked.Root, "etc/group"))
	if err != nil {
		return answer{Error: err.Error()}
	}
	groups := []uint32{uint32(found.Gid)}
	for _, gid := range found.Sgids {
		groups = append(groups, uint32(gid))
	}
	return answered(uint32(found.Uid), uint32(found.Gid), groups)
}

// inside is where path leads within the root, links followed.
func inside(root, path string) string {
	found, err := fs.RootPath(root, path)
	if err != nil {
		return ""
	}
	return found
}

// containerd takes the user as it is asked for, then the groups of the name that `namedFor` gives.
func containerd(asked question, namedFor func(uid uint32) string) answer {
	ctx := context.Background()
	spec := &oci.Spec{Root: &specs.Root{Path: asked.Root}, Linux: &specs.Linux{}, Process: &specs.Process{}}
	container := &containers.Container{}
	if asked.Spec != "" {
		if err := oci.WithUser(asked.Spec)(ctx, nil, container, spec); err != nil {
			return answer{Error: err.Error()}
		}
	}
	before := spec.Process.User.AdditionalGids
	if err := oci.WithAdditionalGIDs(namedFor(spec.Process.User.UID))(ctx, nil, container, spec); err != nil {
		return answer{Error: err.Error()}
	}
	given := spec.Process.User
	return answered(given.UID, given.GID, append(append([]uint32{given.GID}, before...), given.AdditionalGids...))
}

func answered(uid, gid uint32, groups []uint32) answer {
	slices.Sort(groups)
	return answer{UID: uid, GID: gid, Groups: slices.Compact(groups)}
}
