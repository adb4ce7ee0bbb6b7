//! Strongly connected components: sets of nodes each of which leads to each other, so that every cycle lies within one.
//!
//! ```text
//!   T1 ⇄ T2 ──▶ T3 ──▶ T4 ⇄ T5          components {T1 T2} {T3} {T4 T5}; T3 is on no cycle
//! ```
//!
//! Tarjan's algorithm (1972), with a stack of its own instead of the machine's, over a [`View`] of the graph: its edges of
//! some kinds, or its walks on which no two anti-dependencies follow each other.

use super::graph::{Edge, EdgeKind, Graph, Kinds};

/// Which ways may be gone.
pub(super) trait View {
    fn graph(&self) -> &Graph;
    /// How many states there are.
    fn states(&self) -> usize;
    /// The node that a state stands for.
    fn node(&self, state: u32) -> u32;
    /// The state in which a node is that nothing is known of.
    fn state(&self, node: u32) -> u32;
    /// The state after the first edge of a cycle.
    fn begun(&self, edge: &Edge) -> u32;
    /// The state that an edge leads to; `None` when it may not be gone.
    fn follow(&self, state: u32, edge: &Edge) -> Option<u32>;
}

/// The edges of some kinds.
#[derive(Clone, Copy)]
pub(super) struct Plain<'g> {
    pub(super) graph: &'g Graph,
    pub(super) kinds: Kinds,
}

impl View for Plain<'_> {
    fn graph(&self) -> &Graph {
        self.graph
    }

    fn states(&self) -> usize {
        self.graph.nodes()
    }

    fn node(&self, state: u32) -> u32 {
        state
    }

    fn state(&self, node: u32) -> u32 {
        node
    }

    fn begun(&self, edge: &Edge) -> u32 {
        edge.to
    }

    fn follow(&self, _state: u32, edge: &Edge) -> Option<u32> {
        self.kinds.has(edge.kind).then_some(edge.to)
    }
}

/// Walks on which no two anti-dependencies follow each other: a node is two states, by whether it was reached by one.
#[derive(Clone, Copy)]
pub(super) struct Spaced<'g> {
    pub(super) graph: &'g Graph,
    /// The other edges that may be gone.
    pub(super) kinds: Kinds,
    /// Whether anti-dependencies may be gone at all.
    pub(super) with_anti_dependencies: bool,
}

impl View for Spaced<'_> {
    fn graph(&self) -> &Graph {
        self.graph
    }

    fn states(&self) -> usize {
        self.graph.nodes() * 2
    }

    fn node(&self, state: u32) -> u32 {
        state / 2
    }

    fn state(&self, node: u32) -> u32 {
        node * 2
    }

    fn begun(&self, edge: &Edge) -> u32 {
        edge.to * 2 + u32::from(edge.kind == EdgeKind::ReadWrite)
    }

    fn follow(&self, state: u32, edge: &Edge) -> Option<u32> {
        match edge.kind {
            EdgeKind::ReadWrite => (self.with_anti_dependencies && state.is_multiple_of(2)).then_some(edge.to * 2 + 1),
            kind => self.kinds.has(kind).then_some(edge.to * 2),
        }
    }
}

/// A state that is on no cycle.
pub(super) const ALONE: u32 = u32::MAX;

/// The component of each state, `ALONE` for those that are one by themselves, and how many components there are.
pub(super) fn components<V: View>(view: &V) -> (Vec<u32>, u32) {
    const UNSEEN: u32 = u32::MAX;
    let states = view.states();
    let (mut index, mut low) = (vec![UNSEEN; states], vec![0_u32; states]);
    let (mut component, mut is_open) = (vec![ALONE; states], vec![false; states]);
    let (mut count, mut next_index) = (0, 0);
    let mut open: Vec<u32> = Vec::new();
    // A state under way, and its next edge.
    let mut path: Vec<(u32, u32)> = Vec::new();
    for root in 0..states as u32 {
        if index[root as usize] != UNSEEN {
            continue;
        }
        path.push((root, view.graph().leaving(view.node(root)).start));
        while let Some((state, edge)) = path.pop() {
            let at = state as usize;
            if index[at] == UNSEEN {
                (index[at], low[at], is_open[at]) = (next_index, next_index, true);
                next_index += 1;
                open.push(state);
            }
            let end = view.graph().leaving(view.node(state)).end;
            let mut descended = false;
            for edge in edge..end {
                let Some(next) = view.follow(state, view.graph().edge(edge)) else { continue };
                let to = next as usize;
                if index[to] == UNSEEN {
                    // This edge is looked at again when `next` is done.
                    path.push((state, edge));
                    path.push((next, view.graph().leaving(view.node(next)).start));
                    descended = true;
                    break;
                }
                if is_open[to] {
                    low[at] = low[at].min(low[to]);
                }
            }
            if descended || low[at] != index[at] {
                continue;
            }
            let is_alone = open.last() == Some(&state);
            while let Some(member) = open.pop() {
                is_open[member as usize] = false;
                component[member as usize] = if is_alone { ALONE } else { count };
                if member == state {
                    break;
                }
            }
            count += u32::from(!is_alone);
        }
    }
    (component, count)
}

#[cfg(test)]
mod tests {
    use super::super::graph::NOTHING;
    use super::*;
    use crate::history::transactions::TransactionHistory;

    fn graph(nodes: usize, edges: &[(u32, u32, EdgeKind)]) -> Graph {
        let edges =
            edges.iter().map(|&(from, to, kind)| Edge { from, to, kind, key: 0, before: NOTHING, after: NOTHING });
        let order = super::super::level::Order::Any;
        Graph::new(&TransactionHistory::default(), &vec![true; nodes], edges.collect(), order)
    }

    #[test]
    fn what_leads_to_each_other_is_one_component_and_the_rest_is_alone() {
        let ww = EdgeKind::WriteWrite;
        let graph = graph(6, &[(0, 1, ww), (1, 0, ww), (1, 2, ww), (2, 3, ww), (3, 4, ww), (4, 3, ww), (4, 5, ww)]);
        let (found, count) = components(&Plain { graph: &graph, kinds: Kinds::of(ww) });
        assert_eq!(count, 2);
        assert_eq!((found[0], found[3], found[2], found[5]), (found[1], found[4], ALONE, ALONE));
        assert_ne!(found[0], found[3]);
    }

    #[test]
    fn a_long_chain_does_not_need_the_machines_stack() {
        let nodes = 300_000;
        let mut edges: Vec<_> = (0..nodes - 1).map(|node| (node, node + 1, EdgeKind::WriteRead)).collect();
        edges.push((nodes - 1, 0, EdgeKind::WriteRead));
        let graph = graph(nodes as usize, &edges);
        let (found, count) = components(&Plain { graph: &graph, kinds: Kinds::of(EdgeKind::WriteRead) });
        assert_eq!((count, found.iter().all(|component| *component == 0)), (1, true));
    }

    #[test]
    fn spaced_walks_have_a_cycle_only_where_no_two_anti_dependencies_follow_each_other() {
        let (rw, wr) = (EdgeKind::ReadWrite, EdgeKind::WriteRead);
        let cycles = |nodes, edges: &[(u32, u32, EdgeKind)]| {
            let graph = graph(nodes, edges);
            components(&Spaced { graph: &graph, kinds: Kinds::of(wr), with_anti_dependencies: true }).1
        };
        assert_eq!(cycles(2, &[(0, 1, rw), (1, 0, rw)]), 0);
        assert_eq!(cycles(2, &[(0, 1, rw), (1, 0, wr)]), 1);
        assert_eq!(cycles(4, &[(0, 1, rw), (1, 2, wr), (2, 3, rw), (3, 0, wr)]), 1);
        assert_eq!(cycles(3, &[(0, 1, rw), (1, 2, rw), (2, 0, wr)]), 0);
    }
}
