#include "torchscript/node_numbers.h"

namespace descramble {

using torch::jit::Block;
using torch::jit::Node;

namespace {

void number_nodes(Block* block, std::vector<Node*>& nodes) {
  for (Node* node : block->nodes()) {
    nodes.push_back(node);
    for (Block* inner : node->blocks()) number_nodes(inner, nodes);
  }
}

}  // namespace

std::vector<Node*> numbered_nodes(Block* block) {
  std::vector<Node*> nodes;
  number_nodes(block, nodes);
  return nodes;
}

std::shared_ptr<const NodeNumbers> numbers_of(Node* begin, const Node* end) {
  const auto numbers = std::make_shared<NodeNumbers>();
  std::int64_t next = 0;
  for (Node* node = begin; node != end; node = node->next()) {
    (*numbers)[node] = next++;
    for (Block* inner : node->blocks()) {
      for (const Node* deep : numbered_nodes(inner)) (*numbers)[deep] = next++;
    }
  }
  return numbers;
}

}  // namespace descramble
