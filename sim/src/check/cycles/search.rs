//! The shortest cycle of each kind in each component.
//!
//! ```text
//!   kind             components of                  begins with     and returns through
//!   G0               ww                             ww              ww
//!   G1c              ww wr                          wr              ww wr
//!   G-single         walks with rw apart            rw              ww wr
//!   G-nonadjacent    walks with rw apart            rw              walks with rw apart
//!   G2-item          everything                     rw              everything
//! ```
//!
//! Each is looked for once without and once with the edges of the order that the level keeps. Whether there is a cycle
//! that the level forbids is certain: every component holds one of its kind. Whether the one that is told is the shortest
//! is certain up to a bound on the work.

use std::collections::{BTreeSet, VecDeque};

use super::components::{ALONE, Plain, Spaced, View, components};
use super::graph::{EdgeKind, Graph, Kinds};
use super::level::{AnomalyKind, Order, Phenomenon};

/// Edges that are looked at for cycles of one kind, after which the first of a component must do.
const VISITS_MAX: u64 = 10_000_000;

/// A cycle: the numbers of its edges, one leading to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cycle {
    pub(super) kind: AnomalyKind,
    pub(super) edges: Vec<u32>,
}

/// The cycles of a graph, the shortest of each kind in each component.
pub(super) fn cycles(graph: &Graph, order: Order) -> Vec<Cycle> {
    let mut hunt = Hunt { graph, order, walker: Walker::default(), seen: BTreeSet::new(), found: Vec::new() };
    hunt.with(Order::Any);
    if order != Order::Any {
        hunt.with(order);
    }
    hunt.found
}

struct Hunt<'g> {
    graph: &'g Graph,
    /// The order whose edges the graph has.
    order: Order,
    walker: Walker,
    seen: BTreeSet<Vec<u32>>,
    found: Vec<Cycle>,
}

impl<'g> Hunt<'g> {
    /// Looks for cycles of every kind that need the edges of `order`.
    fn with(&mut self, order: Order) {
        let graph = self.graph;
        let (ww, wr, rw) = (EdgeKind::WriteWrite, EdgeKind::WriteRead, EdgeKind::ReadWrite);
        let writes = Kinds::of(ww).and(Kinds::of_order(order));
        let information = writes.and(Kinds::of(wr));
        let plain = |kinds| Plain { graph, kinds };
        let spaced = |with_anti_dependencies| Spaced { graph, kinds: information, with_anti_dependencies };
        self.hunt(order, &plain(writes), &plain(writes), ww, Phenomenon::G0);
        self.hunt(order, &plain(information), &plain(information), wr, Phenomenon::G1c);
        self.hunt(order, &spaced(true), &spaced(false), rw, Phenomenon::GSingle);
        self.hunt(order, &spaced(true), &spaced(true), rw, Phenomenon::GNonadjacent);
        let everything = information.and(Kinds::of(rw));
        self.hunt(order, &plain(everything), &plain(everything), rw, Phenomenon::G2Item);
    }

    /// In each component of `whole` looks for the shortest cycle that begins with an edge of kind `start`, and returns
    /// through `walk`, which has the same states.
    fn hunt<V: View>(&mut self, order: Order, whole: &V, walk: &V, start: EdgeKind, phenomenon: Phenomenon) {
        let (component, count) = components(whole);
        if count == 0 {
            return;
        }
        let mut starts: Vec<(u32, u32)> = Vec::new();
        for (number, edge) in (0_u32..).zip(self.graph.edges()) {
            if edge.kind != start {
                continue;
            }
            let from = whole.state(edge.from);
            let home = component[from as usize];
            if home != ALONE && whole.follow(from, edge).is_some_and(|to| component[to as usize] == home) {
                starts.push((home, number));
            }
        }
        starts.sort_unstable();
        self.walker.visits = 0;
        for starts in starts.chunk_by(|one, other| one.0 == other.0) {
            if let Some(edges) = self.shortest(order, walk, &component, starts, phenomenon) {
                let mut members = edges.clone();
                members.sort_unstable();
                if self.seen.insert(members) {
                    self.found.push(Cycle { kind: self.classify(&edges), edges });
                }
            }
        }
    }

    /// The shortest cycle of the phenomenon through one of the edges.
    fn shortest<V: View>(
        &mut self,
        order: Order,
        walk: &V,
        component: &[u32],
        starts: &[(u32, u32)],
        phenomenon: Phenomenon,
    ) -> Option<Vec<u32>> {
        let mut best: Option<(u32, Vec<u32>)> = None;
        for (home, number) in starts {
            let edge = self.graph.edge(*number);
            let (begin, after) = (walk.state(edge.from), walk.begun(edge));
            let most = best.as_ref().map_or(u32::MAX, |(length, _)| length - 2);
            let within = |state: u32| component[state as usize] == *home;
            let Some((length, mut edges)) = self.walker.walk(walk, after, begin, most, within) else { continue };
            edges.insert(0, *number);
            let kind = self.classify(&edges);
            if kind.phenomenon == phenomenon && kind.order == order {
                let is_shortest = length == 1;
                best = Some((length + 1, edges));
                if is_shortest {
                    break;
                }
            }
            if self.walker.visits > VISITS_MAX {
                break;
            }
        }
        best.map(|(_, edges)| edges)
    }

    /// What a cycle is.
    fn classify(&self, edges: &[u32]) -> AnomalyKind {
        let kinds = edges.iter().map(|number| self.graph.edge(*number).kind);
        let needs_order = kinds.clone().any(|kind| Kinds::of_order(self.order).has(kind));
        let steps: Vec<EdgeKind> = kinds.filter(|kind| *kind != EdgeKind::Began).collect();
        let is_anti = |place: usize| steps[place % steps.len()] == EdgeKind::ReadWrite;
        let anti = (0..steps.len()).filter(|place| is_anti(*place)).count();
        let phenomenon = match anti {
            0 if steps.contains(&EdgeKind::WriteRead) => Phenomenon::G1c,
            0 => Phenomenon::G0,
            1 => Phenomenon::GSingle,
            _ if (0..steps.len()).any(|place| is_anti(place) && is_anti(place + 1)) => Phenomenon::G2Item,
            _ => Phenomenon::GNonadjacent,
        };
        AnomalyKind { phenomenon, order: if needs_order { self.order } else { Order::Any } }
    }
}

/// Walks the shortest ways, breadth first. A way through moments is one step.
#[derive(Default)]
struct Walker {
    /// The walk in which each state was reached last, at which distance, and from where.
    walk: Vec<u32>,
    distance: Vec<u32>,
    came_by: Vec<(u32, u32)>,
    walks: u32,
    visits: u64,
}

impl Walker {
    /// The length and the edges of the shortest way of at most `most` steps.
    fn walk<V: View>(
        &mut self,
        view: &V,
        from: u32,
        to: u32,
        most: u32,
        within: impl Fn(u32) -> bool,
    ) -> Option<(u32, Vec<u32>)> {
        let states = view.states().max(self.walk.len());
        self.walk.resize(states, 0);
        self.distance.resize(states, 0);
        self.came_by.resize(states, (0, 0));
        self.walks += 1;
        self.walk[from as usize] = self.walks;
        self.distance[from as usize] = 0;
        let mut next = VecDeque::from([(from, 0)]);
        while let Some((state, distance)) = next.pop_front() {
            if state == to {
                return Some((distance, self.way_back(from, to)));
            }
            if distance > self.distance[state as usize] {
                continue;
            }
            for number in view.graph().leaving(view.node(state)) {
                self.visits += 1;
                let edge = view.graph().edge(number);
                let Some(reached) = view.follow(state, edge).filter(|reached| within(*reached)) else { continue };
                let is_free = edge.kind == EdgeKind::Began;
                let reached_at = distance + u32::from(!is_free);
                let at = reached as usize;
                let is_known = self.walk[at] == self.walks && self.distance[at] <= reached_at;
                if is_known || reached_at > most {
                    continue;
                }
                (self.walk[at], self.distance[at], self.came_by[at]) = (self.walks, reached_at, (state, number));
                if is_free { next.push_front((reached, reached_at)) } else { next.push_back((reached, reached_at)) }
            }
        }
        None
    }

    fn way_back(&self, from: u32, to: u32) -> Vec<u32> {
        let (mut edges, mut at) = (Vec::new(), to);
        while at != from {
            let (before, edge) = self.came_by[at as usize];
            edges.push(edge);
            at = before;
        }
        edges.reverse();
        edges
    }
}
