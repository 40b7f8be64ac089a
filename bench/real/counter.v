module counter(input clk, input reset, output reg [3:0] count);
  always @(posedge clk) count <= reset ? 4'd0 : count + 4'd1;
endmodule
